select
    cast(_lender_id as string) as lender_id,
    cast(phone_token as string) as phone_token,
    cast(header_id as string) as header_id,
    cast(content_template_id as string) as content_template_id,
    cast(consent_template_id as string) as consent_template_id,
    cast(result as string) as result,
    cast(reason as string) as reason,
    cast(scrubbed_at_utc as timestamp) as scrubbed_at_utc,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'scrub_results') }}
where _lender_id = {{ lender_id() }}
