select
    cast(_lender_id as string) as lender_id,
    cast(enquiry_id as string) as enquiry_id,
    cast(report_id as string) as report_id,
    cast(customer_id as string) as customer_id,
    cast(report_date as date) as report_date,
    cast(enquiry_date as date) as enquiry_date,
    cast(product as string) as product,
    cast(amount as decimal(18, 2)) as amount,
    cast(currency as string) as currency,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'bureau_enquiries') }}
where _lender_id = {{ lender_id() }}
