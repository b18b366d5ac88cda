select
    cast(_lender_id as string) as lender_id,
    cast(phone_token as string) as phone_token,
    cast(consent_date as date) as consent_date,
    cast(result as string) as result,
    cast(checked_at_utc as timestamp) as checked_at_utc,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'reassigned_numbers') }}
where _lender_id = {{ lender_id() }}
