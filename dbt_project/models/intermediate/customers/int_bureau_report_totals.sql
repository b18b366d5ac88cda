-- Tradelines of a report added up once, per span of knowledge, before any day reads them.
with

tradelines as (
    select
        tradelines.*,
        {{ known_interval(['tradelines.report_id', 'tradelines.tradeline_id']) }}
    from {{ ref('stg_bureau_tradelines') }} as tradelines
),

open_lines as (
    select
        *,
        cast(closed_date is null or closed_date > report_date as boolean) as is_open
    from tradelines
)

select
    report_id,
    currency,
    known_from,
    known_until,
    cast(sum(case when is_open then 1 else 0 end) as int) as open_tradelines,
    {{ money('sum(case when is_open then sanctioned_amount else 0 end)') }} as total_sanctioned,
    {{ money('sum(case when is_open then current_balance else 0 end)') }} as total_balance,
    {{ money('sum(case when is_open then overdue_amount else 0 end)') }} as bureau_overdue,
    {{ money('sum(case when is_open and credit_limit > 0 then current_balance end)') }}
        as revolving_balance,
    {{ money('sum(case when is_open and credit_limit > 0 then credit_limit end)') }}
        as revolving_limit,
    {{ money('sum(case when is_open and not is_own_account then emi_amount else 0 end)') }}
        as other_emi_monthly,
    {%- for months in [6, 12, 24] %}
    cast(max({{ worst_status('payment_history', months) }}) as int) as worst_status_{{ months }}m
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from open_lines
group by report_id, currency, known_from, known_until
