select
    cast(_lender_id as string) as lender_id,
    cast(permission_id as string) as permission_id,
    cast(customer_id as string) as customer_id,
    cast(channel as string) as channel,
    cast(purpose as string) as purpose,
    cast(status as string) as status,
    cast(effective_at_utc as timestamp) as effective_at_utc,
    cast(source as string) as source,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'contact_permissions') }}
where _lender_id = {{ lender_id() }}
