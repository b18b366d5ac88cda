with

closed_days as (
    select
        lender.lender_id,
        lender.time_zone,
        lender.known_through,
        days.as_of_date,
        {{ local_to_utc(
            day_at(plus_days('days.as_of_date', 1), 'lender.daily_cutoff'), 'lender.time_zone'
        ) }} as cutoff_utc,
        {{ local_to_utc(
            day_at(plus_days('lender.known_through', 1), 'lender.daily_cutoff'), 'lender.time_zone'
        ) }} as known_through_cutoff_utc
    from {{ asked_days() }} as days
    cross join {{ lender() }} as lender
)

select
    cast(lender_id as string) as lender_id,
    cast(time_zone as string) as time_zone,
    cast(as_of_date as date) as as_of_date,
    cast(cutoff_utc as timestamp) as cutoff_utc,
    cast(known_through as date) as known_through,
    cast(known_through_cutoff_utc as timestamp) as known_through_cutoff_utc
from closed_days
