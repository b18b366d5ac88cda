with

days as (
    select as_of_date, cutoff_utc from {{ ref('int_as_of_dates') }}
),

clicks as (
    select
        events.event_id,
        events.customer_id,
        events.event_type,
        events.product,
        events.occurred_at_utc,
        {{ lender_day('events.occurred_at_utc') }} as event_date,
        {{ known_interval(['events.event_id']) }}
    from {{ ref('stg_clickstream_events') }} as events
),

seen as (
    select
        days.as_of_date,
        clicks.customer_id,
        clicks.event_id,
        clicks.occurred_at_utc,
        clicks.event_type,
        clicks.product,
        {{ days_between('clicks.event_date', 'days.as_of_date') }} as age_days,
        row_number() over (
            partition by days.as_of_date, clicks.customer_id, clicks.product is null
            order by clicks.occurred_at_utc desc nulls last, clicks.event_id desc nulls last
        ) as recency
    from days
    inner join clicks
        on {{ in_window('clicks.event_date', 'days.as_of_date', 180) }}
        and {{ known_at('clicks', 'days.cutoff_utc') }}
),

browsing as (
    select
        as_of_date,
        customer_id,
        sum(case when age_days < 30 then 1 else 0 end) as clickstream_events_30d,
        sum(case when age_days < 30 and event_type = 'product_view' then 1 else 0 end)
            as product_views_30d,
        max(case when recency = 1 then product end) as last_product_viewed
    from seen
    group by as_of_date, customer_id
),

applications as (
    select
        as_of_date,
        customer_id,
        product,
        occurred_at_utc,
        row_number() over (
            partition by as_of_date, customer_id
            order by occurred_at_utc desc nulls last, event_id desc nulls last
        ) as recency
    from seen
    where event_type = 'apply_submit' and product is not null
),

offers as (
    select
        responses.response_id,
        responses.customer_id,
        responses.response,
        {{ lender_day('responses.offered_at_utc') }} as offer_date,
        {{ lender_day('responses.responded_at_utc') }} as response_date,
        {{ known_interval(['responses.response_id']) }}
    from {{ ref('stg_campaign_responses') }} as responses
    where not responses.is_control
),

campaigns as (
    select
        days.as_of_date,
        offers.customer_id,
        count(*) as campaign_offers_180d,
        sum(
            case
                when offers.response = 'accepted' and offers.response_date <= days.as_of_date then 1
                else 0
            end
        ) as campaign_accepts_180d
    from days
    inner join offers
        on {{ in_window('offers.offer_date', 'days.as_of_date', 180) }}
        and {{ known_at('offers', 'days.cutoff_utc') }}
    group by days.as_of_date, offers.customer_id
)

select
    customers.as_of_date,
    customers.customer_id,
    cast(coalesce(browsing.clickstream_events_30d, 0) as int) as clickstream_events_30d,
    cast(coalesce(browsing.product_views_30d, 0) as int) as product_views_30d,
    browsing.last_product_viewed,
    cast(coalesce(campaigns.campaign_offers_180d, 0) as int) as campaign_offers_180d,
    cast(coalesce(campaigns.campaign_accepts_180d, 0) as int) as campaign_accepts_180d,
    applications.product as applied_product,
    applications.occurred_at_utc as applied_at_utc
from {{ ref('int_customer_standing') }} as customers
left join browsing
    on customers.as_of_date = browsing.as_of_date
    and customers.customer_id = browsing.customer_id
left join campaigns
    on customers.as_of_date = campaigns.as_of_date
    and customers.customer_id = campaigns.customer_id
left join applications
    on customers.as_of_date = applications.as_of_date
    and customers.customer_id = applications.customer_id
    and applications.recency = 1
