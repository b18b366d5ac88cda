select
    cast(_lender_id as string) as lender_id,
    cast(area_code as string) as area_code,
    cast(phone_token as string) as phone_token,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'us_dnc_list') }}
where _lender_id = {{ lender_id() }}
