-- An instalment is a date that an earlier snapshot announced as the next due date. At the day-end of
-- that date it was paid in full when nothing was overdue, and in part when less than the instalment
-- was, and nothing older; money goes to the oldest arrears first.
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
        days.as_of_date,
        versions.account_id,
        {{ span_days(days_between('announced.due_date', 'days.as_of_date')) }} as span_days,
        case when versions.days_past_due = 0 then 1 else 0 end as in_full,
        case
            when versions.days_past_due = 1 and versions.overdue_amount < versions.emi_amount then 1
            else 0
        end as in_part
    from announced
    inner join {{ ref('int_portfolio_versions') }} as versions
        on announced.account_id = versions.account_id
        and announced.due_date = versions.snapshot_date
    inner join {{ ref('int_as_of_dates') }} as days
        on {{ in_window('announced.due_date', 'days.as_of_date', 180) }}
        and announced.announced_at <= days.cutoff_utc
        and {{ known_at('versions', 'days.cutoff_utc') }}
)

select
    as_of_date,
    account_id,
    {%- for length in windows() %}
    cast({{ sum_in_window('1', length) }} as int) as instalments_due_{{ length }}d,
    cast({{ sum_in_window('in_full', length) }} as int) as instalments_in_full_{{ length }}d,
    cast({{ sum_in_window('in_part', length) }} as int) as instalments_in_part_{{ length }}d,
    {%- endfor %}
    {{ ratio('sum(in_full)', 'count(*)') }} as on_time_share_180d,
    {{ ratio('sum(in_part)', 'count(*)') }} as part_paid_share_180d
from instalments
group by as_of_date, account_id
