-- One row an account, value date and span of knowledge: whatever multiplies by as-of dates later is
-- small.
select
    account_id,
    value_date,
    known_from,
    known_until,
    cast(sum(case when status = 'success' then 1 else 0 end) as int) as payments,
    {{ money("sum(case when status = 'success' then amount else 0 end)") }} as paid_amount,
    cast(sum(case when status = 'bounced' then 1 else 0 end) as int) as bounces
from {{ ref('int_payment_versions') }}
group by account_id, value_date, known_from, known_until
