-- Outbound contacts added up by day, part of the borrower's day and span of knowledge. Part of the day
-- and weekday depend on the borrower's zone, so a contact is counted once for each zone the borrower
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
        {{ borrower_local('contacts.contacted_at_utc', 'zones.time_zone') }} as contacted_at_local,
        contacts.contacted_at_utc,
        contacts.is_randomised,
        case
            when {{ is_right_party('contacts.outcome') }} then 'answered' else contacts.outcome
        end as outcome,
        {{ is_engaged('contacts.outcome') }} as is_engaged,
        contacts.known_from,
        contacts.known_until
    from {{ ref('int_contacts') }} as contacts
    inner join zones
        on contacts.customer_id = zones.customer_id
    where contacts.direction = 'outbound'
),

placed as (
    select
        attempts.*,
        {{ daypart('contacted_at_local') }} as daypart,
        {{ weekday('cast(contacted_at_local as date)') }} as weekday
    from attempts
)

select
    customer_id,
    time_zone,
    channel,
    contact_date,
    daypart,
    weekday,
    known_from,
    known_until,
    cast(count(*) as int) as attempts,
    cast(count(case when is_engaged then 1 end) as int) as engaged,
    cast(count(case when is_randomised then 1 end) as int) as randomised_attempts,
    cast(count(case when is_randomised and is_engaged then 1 end) as int)
        as randomised_engaged,
    {%- for reaction, outcome in reactions() %}
    cast(count(case when outcome = '{{ outcome }}' then 1 end) as int) as {{ reaction }},
    {%- endfor %}
    cast(max(contacted_at_utc) as timestamp) as last_attempt_at_utc
from placed
group by customer_id, time_zone, channel, contact_date, daypart, weekday, known_from, known_until
