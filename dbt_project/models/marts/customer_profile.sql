-- Own instalments come from the portfolio, those elsewhere from the bureau: without a report the sum
-- is unknown, not small.
{%- set total_emi_monthly = money('customers.own_emi_monthly + bureau.other_emi_monthly') %}
{%- set income_monthly = money(
    'coalesce(cashflow.salary_monthly, customers.declared_monthly_income)'
) %}
with

purposes as (
    select
        as_of_date,
        customer_id,
        {{ joined_sorted('purpose_code') }} as aa_purposes
    from {{ ref('int_aa_consent_coverage') }}
    group by as_of_date, customer_id
),

identities as (
    select
        as_of_date,
        customer_id,
        {{ joined_sorted('source') }} as identity_sources
    from {{ ref('int_customer_identities') }}
    where customer_id is not null
    group by as_of_date, customer_id
),

-- A conflict concerns the customer whose record it is, and the one whom its tokens lead to.
identity_conflicts as (
    select
        parties.as_of_date,
        parties.customer_id,
        count(*) as identity_conflicts
    from (
        select as_of_date, source, record_id, customer_id
        from {{ ref('int_customer_identities') }}
        where is_conflict and customer_id is not null
        union
        select as_of_date, source, record_id, conflicting_customer_id
        from {{ ref('int_customer_identities') }}
        where is_conflict and conflicting_customer_id is not null
    ) as parties
    group by parties.as_of_date, parties.customer_id
)

select
    cast(customers.lender_id as string) as lender_id,
    cast(customers.customer_id as string) as customer_id,
    cast(customers.as_of_date as date) as as_of_date,
    cast(customers.country as string) as country,
    cast(customers.state as string) as state,
    cast(customers.city as string) as city,
    cast(customers.postal_code as string) as postal_code,
    cast(customers.time_zone as string) as time_zone,
    cast(customers.language as string) as language,
    cast(customers.employment_type as string) as employment_type,
    cast(customers.birth_year as int) as birth_year,
    cast(customers.phone_token as string) as phone_token,
    cast(customers.email_token as string) as email_token,
    cast(customers.currency as string) as currency,
    {{ money('customers.declared_monthly_income') }} as declared_monthly_income,
    {{ income_monthly }} as income_monthly,
    cast(false as boolean) as is_income_imputed,
    cast(bureau.bureau_score as int) as bureau_score,
    cast(bureau.bureau_report_date as date) as bureau_report_date,
    cast(bureau.open_tradelines as int) as open_tradelines,
    {{ money('bureau.total_sanctioned') }} as total_sanctioned,
    {{ money('bureau.total_balance') }} as total_balance,
    {{ money('bureau.bureau_overdue') }} as bureau_overdue,
    cast(bureau.utilisation as double) as utilisation,
    {{ total_emi_monthly }} as total_emi_monthly,
    cast(bureau.enquiries_30d as int) as enquiries_30d,
    cast(bureau.enquiries_90d as int) as enquiries_90d,
    cast(bureau.enquiries_180d as int) as enquiries_180d,
    cast(bureau.worst_status_6m as int) as worst_status_6m,
    cast(bureau.worst_status_12m as int) as worst_status_12m,
    cast(bureau.worst_status_24m as int) as worst_status_24m,
    cast({{ ratio(total_emi_monthly, income_monthly) }} as double)
        as debt_to_income,
    cast(cashflow.savings_rate as double) as savings_rate,
    {{ money('cashflow.monthly_inflow_mean') }} as monthly_inflow_mean,
    {{ money('cashflow.monthly_outflow_mean') }} as monthly_outflow_mean,
    {%- for category in spend_categories()[:5] + ['other'] %}
    cast(cashflow.spend_share_{{ category }} as double) as spend_share_{{ category }},
    {%- endfor %}
    cast(cashflow.bounce_count_90d as int) as bounce_count_90d,
    {{ money('cashflow.min_balance_30d') }} as min_balance_30d,
    cast(cashflow.salary_day as int) as salary_day,
    cast(purposes.aa_purposes as string) as aa_purposes,
    cast(flags.is_blacklisted as boolean) as is_blacklisted,
    cast(flags.has_open_fraud_report as boolean) as has_open_fraud_report,
    cast(flags.is_dnd_listed as boolean) as is_dnd_listed,
    cast(behaviour.clickstream_events_30d as int) as clickstream_events_30d,
    cast(behaviour.product_views_30d as int) as product_views_30d,
    cast(behaviour.last_product_viewed as string) as last_product_viewed,
    cast(behaviour.campaign_offers_180d as int) as campaign_offers_180d,
    cast(behaviour.campaign_accepts_180d as int) as campaign_accepts_180d,
    {%- for reaction in ['opens', 'clicks', 'replies'] %}
    cast(coalesce(engagement.engagement_{{ reaction }}_30d, 0) as int)
        as engagement_{{ reaction }}_30d,
    {%- endfor %}
    cast(engagement.last_engaged_at_utc as timestamp) as last_engaged_at_utc,
    cast(customers.open_accounts as int) as open_accounts,
    cast(customers.max_days_past_due as int) as max_days_past_due,
    cast(identities.identity_sources as string) as identity_sources,
    cast(coalesce(identity_conflicts.identity_conflicts, 0) as int) as identity_conflicts,
    cast(substring(customers.postal_code, 1, 3) as string) as postal_prefix,
    cast({{ full_months_between('customers.first_opened_date', 'customers.as_of_date') }} as int)
        as tenure_months,
    cast(bureau.bureau_source as string) as bureau_source,
    cast(bureau.enquiries_7d as int) as enquiries_7d,
    {%- for product in credit_products() + ['other'] %}
    {%- for length in [7, 30, 90, 180] %}
    cast(bureau.{{ product }}_enquiries_{{ length }}d as int)
        as {{ product }}_enquiries_{{ length }}d,
    {%- endfor %}
    {%- endfor %}
    cast(bureau.worst_status_3m as int) as worst_status_3m,
    {{ money('bureau.min_credit_balance') }} as min_credit_balance,
    {{ money('bureau.max_credit_balance') }} as max_credit_balance,
    {{ money('bureau.median_credit_balance') }} as median_credit_balance,
    {%- for product in credit_products() + ['other'] %}
    cast(bureau.open_{{ product }}_lines as int) as open_{{ product }}_lines,
    {%- endfor %}
    cast(bureau.credit_vintage_months as int) as credit_vintage_months,
    cast(bureau.months_since_newest_line as int) as months_since_newest_line,
    cast(bureau.roll_forward_rate_12m as double) as roll_forward_rate_12m,
    cast(bureau.cure_rate_12m as double) as cure_rate_12m,
    cast(bureau.months_since_first_delinquency as int) as months_since_first_delinquency,
    cast(bureau.first_delinquency_month_on_book as int) as first_delinquency_month_on_book,
    {%- for category in spend_categories()[5:] %}
    cast(cashflow.spend_share_{{ category }} as double) as spend_share_{{ category }},
    {%- endfor %}
    {%- for length in [7, 30, 90, 180] %}
    {{ money('cashflow.inflow_' ~ length ~ 'd') }} as inflow_{{ length }}d,
    {{ money('cashflow.outflow_' ~ length ~ 'd') }} as outflow_{{ length }}d,
    {%- endfor %}
    {%- for length in [7, 30, 180] %}
    cast(cashflow.bounce_count_{{ length }}d as int) as bounce_count_{{ length }}d,
    {%- endfor %}
    {%- for length in [7, 90, 180] %}
    {{ money('cashflow.min_balance_' ~ length ~ 'd') }} as min_balance_{{ length }}d,
    {%- endfor %}
    cast(cashflow.inflow_volatility as double) as inflow_volatility,
    cast(cashflow.outflow_volatility as double) as outflow_volatility,
    cast(cashflow.inflow_trend as double) as inflow_trend,
    cast(cashflow.outflow_trend as double) as outflow_trend,
    cast(cashflow.income_regularity as double) as income_regularity,
    cast(cashflow.salary_volatility as double) as salary_volatility,
    {{ money('cashflow.fixed_obligations_monthly') }} as fixed_obligations_monthly,
    cast({{ ratio('cashflow.fixed_obligations_monthly', income_monthly) }} as double)
        as fixed_obligation_share,
    {{ money('cashflow.min_balance_before_emi_90d') }} as min_balance_before_emi_90d,
    {{ money('cashflow.bank_balance') }} as bank_balance,
    cast(cashflow.liquidity_days as double) as liquidity_days,
    cast(cashflow.emi_day as int) as emi_day,
    cast(behaviour.applied_product as string) as applied_product,
    cast(behaviour.applied_at_utc as timestamp) as applied_at_utc,
    {{ money('cashflow.mean_balance_180d') }} as mean_balance_180d,
    cast(cashflow.balance_volatility_180d as double) as balance_volatility_180d
from {{ ref('int_customer_standing') }} as customers
inner join {{ ref('int_customer_flags') }} as flags
    on customers.as_of_date = flags.as_of_date
    and customers.customer_id = flags.customer_id
inner join {{ ref('int_customer_behaviour') }} as behaviour
    on customers.as_of_date = behaviour.as_of_date
    and customers.customer_id = behaviour.customer_id
left join {{ ref('int_customer_bureau') }} as bureau
    on customers.as_of_date = bureau.as_of_date
    and customers.customer_id = bureau.customer_id
left join {{ ref('int_customer_cashflow') }} as cashflow
    on customers.as_of_date = cashflow.as_of_date
    and customers.customer_id = cashflow.customer_id
left join {{ ref('int_customer_engagement') }} as engagement
    on customers.as_of_date = engagement.as_of_date
    and customers.customer_id = engagement.customer_id
left join purposes
    on customers.as_of_date = purposes.as_of_date
    and customers.customer_id = purposes.customer_id
left join identities
    on customers.as_of_date = identities.as_of_date
    and customers.customer_id = identities.customer_id
left join identity_conflicts
    on customers.as_of_date = identity_conflicts.as_of_date
    and customers.customer_id = identity_conflicts.customer_id
