select
    cast(_lender_id as string) as lender_id,
    cast(report_id as string) as report_id,
    cast(customer_id as string) as customer_id,
    cast(national_id_token as string) as national_id_token,
    cast(bureau as string) as bureau,
    cast(report_date as date) as report_date,
    cast(score as int) as score,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'bureau_reports') }}
where _lender_id = {{ lender_id() }}
