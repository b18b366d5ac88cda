select
    cast(_lender_id as string) as lender_id,
    cast(event_id as string) as event_id,
    cast(customer_id as string) as customer_id,
    cast(occurred_at_utc as timestamp) as occurred_at_utc,
    cast(event_type as string) as event_type,
    cast(product as string) as product,
    cast(session_id as string) as session_id,
    cast(device as string) as device,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'clickstream_events') }}
where _lender_id = {{ lender_id() }}
