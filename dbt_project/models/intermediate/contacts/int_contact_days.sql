-- Outbound contacts added up by day, part of the borrower's day and span of knowledge. The part of
-- the day depends on the borrower's zone, so a contact is counted once for each zone the borrower
-- has in this build, and a day reads those of the zone it knows.
with

zones as (
    select distinct customer_id, time_zone
    from {{ ref('int_customer_standing') }}
),

attempts as (
    select
        contacts.customer_id,
        zones.time_zone,
        contacts.channel,
        contacts.contact_date,
        {{ daypart(utc_to_local('contacts.contacted_at_utc', 'zones.time_zone')) }} as daypart,
        contacts.contacted_at_utc,
        contacts.is_randomised,
        {{ is_engaged('contacts.outcome') }} as is_engaged,
        contacts.known_from,
        contacts.known_until
    from {{ ref('int_contacts') }} as contacts
    inner join zones
        on contacts.customer_id = zones.customer_id
    where contacts.direction = 'outbound'
)

select
    customer_id,
    time_zone,
    channel,
    contact_date,
    daypart,
    known_from,
    known_until,
    cast(count(*) as int) as attempts,
    cast(sum(case when is_engaged then 1 else 0 end) as int) as engaged,
    cast(sum(case when is_randomised then 1 else 0 end) as int) as randomised_attempts,
    cast(sum(case when is_randomised and is_engaged then 1 else 0 end) as int)
        as randomised_engaged,
    cast(max(contacted_at_utc) as timestamp) as last_attempt_at_utc
from attempts
group by customer_id, time_zone, channel, contact_date, daypart, known_from, known_until
