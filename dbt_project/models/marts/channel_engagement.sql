with

logged as (
    select
        customers.lender_id,
        customers.as_of_date,
        customers.customer_id,
        contacts.channel,
        contacts.daypart,
        contacts.weekday,
        contacts.contact_date,
        contacts.attempts,
        contacts.engaged,
        contacts.randomised_attempts,
        contacts.randomised_engaged,
        {%- for reaction, outcome in reactions() %}
        contacts.{{ reaction }},
        {%- endfor %}
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

messages as (
    select
        customers.lender_id,
        messages.*,
        {{ borrower_local('messages.contacted_at_utc', 'customers.time_zone') }} as contacted_at_local
    from {{ ref('int_customer_standing') }} as customers
    inner join {{ ref('int_platform_contacts') }} as messages
        on customers.as_of_date = messages.as_of_date
        and customers.customer_id = messages.customer_id
        and {{ in_window('messages.contact_date', 'customers.as_of_date', 180) }}
),

sent as (
    select
        lender_id,
        as_of_date,
        customer_id,
        channel,
        {{ daypart('contacted_at_local') }} as daypart,
        {{ weekday('cast(contacted_at_local as date)') }} as weekday,
        contact_date,
        1 as attempts,
        case when last_engaged_at_utc is not null then 1 else 0 end as engaged,
        0 as randomised_attempts,
        0 as randomised_engaged,
        {%- for reaction, outcome in reactions() %}
        case when {{ outcome }}_date is not null then 1 else 0 end as {{ reaction }},
        {%- endfor %}
        contacted_at_utc as last_attempt_at_utc
    from messages
),

attempts as (
    select * from logged
    union all
    select * from sent
),

weighted as (
    select
        attempts.*,
        {{ span_days(days_between('contact_date', 'as_of_date')) }} as span_days,
        {{ decayed_millionths(days_between('contact_date', 'as_of_date')) }} as millionths
    from attempts
)

-- Everything is counted on the day of the attempt, so that a reaction is never without its attempt.
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
    cast(max(last_attempt_at_utc) as timestamp) as last_attempt_at_utc,
    {%- for length in windows()[:-1] %}
    cast({{ sum_in_window('attempts', length) }} as int) as attempts_{{ length }}d,
    cast({{ sum_in_window('engaged', length) }} as int) as engaged_{{ length }}d,
    {%- endfor %}
    {%- for reaction, outcome in reactions() %}
    {%- for length in windows() %}
    cast({{ sum_in_window(reaction, length) }} as int) as {{ reaction }}_{{ length }}d,
    {%- endfor %}
    cast({{ decayed(reaction) }} as double) as {{ reaction }}_decayed,
    {%- endfor %}
    {%- for counted in ['attempts', 'engaged'] %}
    cast({{ decayed(counted) }} as double) as {{ counted }}_decayed,
    {%- for part in dayparts() %}
    cast({{ decayed(counted, "daypart = '" ~ part ~ "'") }} as double)
        as {{ part }}_{{ counted }}_decayed,
    {%- endfor %}
    {%- for day in weekdays() %}
    cast(sum(case when weekday = '{{ day }}' then {{ counted }} else 0 end) as int)
        as {{ day }}_{{ counted }}_180d,
    cast({{ decayed(counted, "weekday = '" ~ day ~ "'") }} as double)
        as {{ day }}_{{ counted }}_decayed
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from weighted
group by lender_id, customer_id, channel, as_of_date
