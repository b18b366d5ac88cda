-- One row a linked account, value date, direction, category and span of knowledge: an as-of spine
-- multiplies days, not transactions. Categories stay rows: a column for each would cost as many sums
-- a transaction.
with

transactions as (
    select
        consent_id,
        link_ref_number,
        value_date,
        currency,
        direction,
        category,
        amount,
        balance_after,
        {{ known_interval(['consent_id', 'link_ref_number', 'transaction_id']) }}
    from {{ ref('stg_aa_transactions') }}
)

select
    consent_id,
    link_ref_number,
    value_date,
    currency,
    direction,
    category,
    known_from,
    known_until,
    cast(count(*) as int) as transactions,
    {{ money('sum(amount)') }} as amount,
    {{ money('min(balance_after)') }} as min_balance,
    {{ money('min(balance_after + amount)') }} as min_balance_before
from transactions
group by
    consent_id, link_ref_number, value_date, currency, direction, category, known_from, known_until
