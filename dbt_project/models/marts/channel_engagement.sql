with

logged as (
    select
        customers.lender_id,
        customers.as_of_date,
        customers.customer_id,
        contacts.channel,
        contacts.daypart,
        contacts.attempts,
        contacts.engaged,
        contacts.randomised_attempts,
        contacts.randomised_engaged,
        contacts.last_attempt_at_utc
    from {{ ref('int_customer_standing') }} as customers
    inner join {{ ref('int_as_of_dates') }} as days
        on customers.as_of_date = days.as_of_date
    inner join {{ ref('int_contact_days') }} as contacts
        on customers.customer_id = contacts.customer_id
        and customers.time_zone = contacts.time_zone
        and {{ in_window('contacts.contact_date', 'days.as_of_date', 180) }}
        and {{ known_at('contacts', 'days.cutoff_utc') }}
),

sent as (
    select
        customers.lender_id,
        customers.as_of_date,
        customers.customer_id,
        messages.channel,
        {{ daypart(utc_to_local('messages.contacted_at_utc', 'customers.time_zone')) }} as daypart,
        1 as attempts,
        case when messages.last_engaged_at_utc is not null then 1 else 0 end as engaged,
        0 as randomised_attempts,
        0 as randomised_engaged,
        messages.contacted_at_utc as last_attempt_at_utc
    from {{ ref('int_customer_standing') }} as customers
    inner join {{ ref('int_platform_contacts') }} as messages
        on customers.as_of_date = messages.as_of_date
        and customers.customer_id = messages.customer_id
        and {{ in_window('messages.contact_date', 'customers.as_of_date', 180) }}
),

attempts as (
    select * from logged
    union all
    select * from sent
)

select
    cast(lender_id as string) as lender_id,
    cast(customer_id as string) as customer_id,
    cast(channel as string) as channel,
    cast(as_of_date as date) as as_of_date,
    cast(sum(attempts) as int) as attempts_180d,
    cast(sum(engaged) as int) as engaged_180d,
    cast(sum(randomised_attempts) as int) as randomised_attempts_180d,
    cast(sum(randomised_engaged) as int) as randomised_engaged_180d,
    {%- for part in dayparts() %}
    cast(sum(case when daypart = '{{ part }}' then attempts else 0 end) as int)
        as {{ part }}_attempts_180d,
    cast(sum(case when daypart = '{{ part }}' then engaged else 0 end) as int)
        as {{ part }}_engaged_180d,
    {%- endfor %}
    cast(max(last_attempt_at_utc) as timestamp) as last_attempt_at_utc
from attempts
group by lender_id, customer_id, channel, as_of_date
