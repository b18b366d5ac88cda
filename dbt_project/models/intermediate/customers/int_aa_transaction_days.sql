-- One row a linked account, value date and span of knowledge: an as-of spine multiplies days, not
-- transactions.
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
    known_from,
    known_until,
    {{ money("sum(case when direction = 'CREDIT' then amount else 0 end)") }} as inflow,
    {{ money("sum(case when direction = 'DEBIT' then amount else 0 end)") }} as outflow,
    {{ money("sum(case when direction = 'CREDIT' and category = 'salary' then amount end)") }}
        as salary,
    {%- for category in spend_categories() %}
    {{ money(
        "sum(case when direction = 'DEBIT' and category = '" ~ category ~ "' then amount else 0 end)"
    ) }} as spend_{{ category }},
    {%- endfor %}
    cast(sum(case when category = 'bounce_charge' then 1 else 0 end) as int) as bounces,
    {{ money('min(balance_after)') }} as min_balance,
    {{ money(
        "min(case when direction = 'DEBIT' and category = 'emi' then balance_after + amount end)"
    ) }} as balance_before_emi
from transactions
group by consent_id, link_ref_number, value_date, currency, known_from, known_until
