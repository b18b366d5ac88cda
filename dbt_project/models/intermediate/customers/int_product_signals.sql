-- What a customer did or was offered about a product, added up by day and span of knowledge.
with

clicks as (
    select
        events.event_id,
        events.customer_id,
        events.product,
        events.event_type,
        {{ lender_day('events.occurred_at_utc') }} as event_date,
        {{ known_interval(['events.event_id']) }}
    from {{ ref('stg_clickstream_events') }} as events
),

enquiries as (
    select
        enquiries.customer_id,
        enquiries.product,
        enquiries.enquiry_date,
        {{ known_interval(['enquiries.enquiry_id']) }}
    from {{ ref('stg_bureau_enquiries') }} as enquiries
),

responses as (
    select
        responses.customer_id,
        responses.product,
        responses.response,
        {{ lender_day('responses.offered_at_utc') }} as offer_date,
        {{ lender_day('responses.responded_at_utc') }} as response_date,
        responses.is_control,
        {{ known_interval(['responses.response_id']) }}
    from {{ ref('stg_campaign_responses') }} as responses
),

signals as (
    select
        customer_id,
        product,
        case event_type
            when 'product_view' then 'views'
            when 'calculator' then 'calculations'
            when 'apply_start' then 'applications'
        end as kind,
        event_date as signal_date,
        known_from,
        known_until
    from clicks
    where event_type in ('product_view', 'calculator', 'apply_start')

    union all

    select customer_id, product, 'enquiries', enquiry_date, known_from, known_until
    from enquiries

    union all

    select customer_id, product, 'offers', offer_date, known_from, known_until
    from responses
    where not is_control
    {%- for response, kind in [('accepted', 'accepts'), ('declined', 'declines')] %}

    union all

    select customer_id, product, '{{ kind }}', response_date, known_from, known_until
    from responses
    where not is_control and response = '{{ response }}'
    {%- endfor %}
)

select
    cast(customer_id as string) as customer_id,
    cast(product as string) as product,
    cast(kind as string) as kind,
    cast(signal_date as date) as signal_date,
    known_from,
    known_until,
    cast(count(*) as int) as times
from signals
where product is not null and signal_date is not null
group by customer_id, product, kind, signal_date, known_from, known_until
