select
    cast(_lender_id as string) as lender_id,
    cast(identification_number as string) as identification_number,
    cast(account_number_token as string) as account_number_token,
    cast(date_account_information as date) as date_account_information,
    cast(consumer_number as int) as consumer_number,
    cast(segment as string) as segment,
    {{ metro2_consumer_columns() }},
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'metro2_associated_consumers') }}
where _lender_id = {{ lender_id() }}
