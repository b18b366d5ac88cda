select
    account_id,
    customer_id,
    snapshot_date,
    next_due_date,
    cast({{ days_past_due() }} as int) as days_past_due,
    cast(overdue_amount as decimal(18, 2)) as overdue_amount,
    cast(emi_amount as decimal(18, 2)) as emi_amount,
    account_status,
    _file_id,
    _row_number,
    {{ known_interval(['account_id', 'snapshot_date']) }}
from {{ ref('stg_portfolio_accounts') }}
