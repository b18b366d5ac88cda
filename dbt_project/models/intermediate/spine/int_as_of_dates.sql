with

closed_days as (
    select
        lender.lender_id,
        lender.time_zone,
        days.as_of_date,
        {{ local_to_utc(
            day_at(plus_days('days.as_of_date', 1), 'lender.daily_cutoff'), 'lender.time_zone'
        ) }} as cutoff_utc
    from {{ asked_days() }} as days
    cross join {{ lender() }} as lender
)

select
    cast(lender_id as string) as lender_id,
    cast(time_zone as string) as time_zone,
    cast(as_of_date as date) as as_of_date,
    cast(cutoff_utc as timestamp) as cutoff_utc,
    cast(max(as_of_date) over () as date) as last_as_of_date,
    cast(max(cutoff_utc) over () as timestamp) as last_cutoff_utc
from closed_days
