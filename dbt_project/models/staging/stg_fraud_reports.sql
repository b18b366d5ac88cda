select
    cast(_lender_id as string) as lender_id,
    cast(report_id as string) as report_id,
    cast(customer_id as string) as customer_id,
    cast(account_id as string) as account_id,
    cast(reported_date as date) as reported_date,
    cast(kind as string) as kind,
    cast(status as string) as status,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'fraud_reports') }}
where _lender_id = {{ lender_id() }}
