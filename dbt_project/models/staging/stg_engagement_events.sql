select
    cast(lender_id as string) as lender_id,
    cast(event_id as string) as event_id,
    cast(provider as string) as provider,
    cast(event_type as string) as event_type,
    cast(occurred_at_utc as timestamp) as occurred_at_utc,
    cast(action_id as string) as action_id,
    cast(customer_id as string) as customer_id,
    cast(account_id as string) as account_id,
    cast(channel as string) as channel,
    cast(known_date as date) as known_date,
    cast(_known_at as timestamp) as _known_at
from {{ source('engagement', 'events') }}
where lender_id = {{ lender_id() }}
