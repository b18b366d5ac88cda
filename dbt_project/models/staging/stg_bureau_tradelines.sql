select
    cast(_lender_id as string) as lender_id,
    cast(report_id as string) as report_id,
    cast(tradeline_id as string) as tradeline_id,
    cast(customer_id as string) as customer_id,
    cast(report_date as date) as report_date,
    cast(product as string) as product,
    cast(is_own_account as boolean) as is_own_account,
    cast(opened_date as date) as opened_date,
    cast(closed_date as date) as closed_date,
    cast(currency as string) as currency,
    cast(sanctioned_amount as decimal(18, 2)) as sanctioned_amount,
    cast(current_balance as decimal(18, 2)) as current_balance,
    cast(overdue_amount as decimal(18, 2)) as overdue_amount,
    cast(emi_amount as decimal(18, 2)) as emi_amount,
    cast(credit_limit as decimal(18, 2)) as credit_limit,
    cast(payment_history as string) as payment_history,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'bureau_tradelines') }}
where _lender_id = {{ lender_id() }}
