-- An instalment is a date that an earlier snapshot announced as the next due date; it was met on
-- time when nothing was overdue at the day-end of that date.
with

announced as (
    select
        account_id,
        next_due_date as due_date,
        min(known_from) as announced_at
    from {{ ref('int_portfolio_versions') }}
    where next_due_date is not null and snapshot_date < next_due_date
    group by account_id, next_due_date
),

instalments as (
    select
        versions.account_id,
        announced.due_date,
        announced.announced_at,
        versions.days_past_due,
        versions.known_from,
        versions.known_until
    from announced
    inner join {{ ref('int_portfolio_versions') }} as versions
        on announced.account_id = versions.account_id
        and announced.due_date = versions.snapshot_date
)

select
    days.as_of_date,
    instalments.account_id,
    {{ ratio('sum(case when instalments.days_past_due = 0 then 1 else 0 end)', 'count(*)') }}
        as on_time_share_180d
from {{ ref('int_as_of_dates') }} as days
inner join instalments
    on {{ in_window('instalments.due_date', 'days.as_of_date', 180) }}
    and instalments.announced_at <= days.cutoff_utc
    and {{ known_at('instalments', 'days.cutoff_utc') }}
group by days.as_of_date, instalments.account_id
