with

observed as (
    select
        days.as_of_date,
        versions.account_id,
        versions.days_past_due,
        {{ days_between('versions.snapshot_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_portfolio_versions') }} as versions
        on {{ in_window('versions.snapshot_date', 'days.as_of_date', 180) }}
        and {{ known_at('versions', 'days.cutoff_utc') }}
)

select
    as_of_date,
    account_id,
    cast(max(case when age_days < 30 then days_past_due end) as int) as max_dpd_30d,
    cast(max(case when age_days < 90 then days_past_due end) as int) as max_dpd_90d,
    cast(max(days_past_due) as int) as max_dpd_180d,
    cast(sum(case when age_days < 90 and days_past_due > 0 then 1 else 0 end) as int)
        as days_delinquent_90d
from observed
group by as_of_date, account_id
