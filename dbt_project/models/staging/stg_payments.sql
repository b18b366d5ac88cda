select
    cast(_lender_id as string) as lender_id,
    cast(payment_id as string) as payment_id,
    cast(account_id as string) as account_id,
    cast(customer_id as string) as customer_id,
    cast(value_date as date) as value_date,
    cast(paid_at_utc as timestamp) as paid_at_utc,
    cast(amount as decimal(18, 2)) as amount,
    cast(currency as string) as currency,
    cast(method as string) as method,
    cast(status as string) as status,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'payments') }}
where _lender_id = {{ lender_id() }}
