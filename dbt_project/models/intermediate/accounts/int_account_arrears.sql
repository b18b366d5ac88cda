with

observed as (
    select
        days.as_of_date,
        versions.account_id,
        versions.snapshot_date,
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
    {%- for length in windows() %}
    cast(max(case when age_days < {{ length }} then days_past_due end) as int)
        as max_dpd_{{ length }}d,
    cast(sum(case when age_days < {{ length }} and days_past_due > 0 then 1 else 0 end) as int)
        as days_delinquent_{{ length }}d,
    {%- endfor %}
    {%- for ago in [7, 30, 90] %}
    -- As a build of that day would have read it: the newest snapshot that was not too old.
    cast(
        max_by(
            days_past_due,
            case
                when age_days between {{ ago }} and {{ ago + var('snapshot_carry_days') - 1 }}
                    then snapshot_date
            end
        ) as int
    ) as days_past_due_{{ ago }}d_ago{% if not loop.last %},{% endif %}
    {%- endfor %}
from observed
group by as_of_date, account_id
