select
    cast(_lender_id as string) as lender_id,
    cast(phone_token as string) as phone_token,
    cast(registry as string) as registry,
    cast(categories as string) as categories,
    cast(listed_date as date) as listed_date,
    cast(delisted_date as date) as delisted_date,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'dnd_registry') }}
where _lender_id = {{ lender_id() }}
