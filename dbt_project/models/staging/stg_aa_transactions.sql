select
    cast(_lender_id as string) as lender_id,
    cast(consent_id as string) as consent_id,
    cast(customer_id as string) as customer_id,
    cast(link_ref_number as string) as link_ref_number,
    cast(transaction_id as string) as transaction_id,
    cast(direction as string) as direction,
    cast(mode as string) as mode,
    cast(amount as decimal(18, 2)) as amount,
    cast(balance_after as decimal(18, 2)) as balance_after,
    cast(currency as string) as currency,
    cast(transacted_at_utc as timestamp) as transacted_at_utc,
    cast(value_date as date) as value_date,
    cast(category as string) as category,
    cast(narration_token as string) as narration_token,
    cast(_known_at as timestamp) as _known_at,
    cast(_file_id as string) as _file_id,
    cast(_row_number as bigint) as _row_number
from {{ source('raw', 'aa_transactions') }}
where _lender_id = {{ lender_id() }}
