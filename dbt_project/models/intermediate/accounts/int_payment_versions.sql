select
    payment_id,
    account_id,
    value_date,
    amount,
    method,
    status,
    {{ known_interval(['payment_id']) }}
from {{ ref('stg_payments') }}
