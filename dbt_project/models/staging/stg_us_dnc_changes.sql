select
    cast(_lender_id as string) as lender_id,
    cast(area_code as string) as area_code,
    cast(phone_token as string) as phone_token,
    cast(changed_date as date) as changed_date,
    cast(change as string) as change,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'us_dnc_changes') }}
where _lender_id = {{ lender_id() }}
