with

purposes as (
    select
        as_of_date,
        customer_id,
        {{ joined_sorted('purpose_code') }} as aa_purposes
    from {{ ref('int_aa_consent_coverage') }}
    group by as_of_date, customer_id
),

unified as (
    select
        customers.*,
        bureau.bureau_score,
        bureau.bureau_report_date,
        bureau.open_tradelines,
        bureau.total_sanctioned,
        bureau.total_balance,
        bureau.bureau_overdue,
        bureau.utilisation,
        -- Own instalments come from the portfolio, those elsewhere from the bureau: without a report
        -- the sum is unknown, not small.
        {{ money('customers.own_emi_monthly + bureau.other_emi_monthly') }} as total_emi_monthly,
        bureau.enquiries_30d,
        bureau.enquiries_90d,
        bureau.enquiries_180d,
        bureau.worst_status_6m,
        bureau.worst_status_12m,
        bureau.worst_status_24m,
        {{ money('coalesce(cashflow.salary_monthly, customers.declared_monthly_income)') }}
            as income_monthly,
        cashflow.savings_rate,
        cashflow.monthly_inflow_mean,
        cashflow.monthly_outflow_mean,
        {%- for category in spend_categories() + ['other'] %}
        cashflow.spend_share_{{ category }},
        {%- endfor %}
        cashflow.bounce_count_90d,
        cashflow.min_balance_30d,
        cashflow.salary_day,
        purposes.aa_purposes
    from {{ ref('int_customer_standing') }} as customers
    left join {{ ref('int_customer_bureau') }} as bureau
        on customers.as_of_date = bureau.as_of_date
        and customers.customer_id = bureau.customer_id
    left join {{ ref('int_customer_cashflow') }} as cashflow
        on customers.as_of_date = cashflow.as_of_date
        and customers.customer_id = cashflow.customer_id
    left join purposes
        on customers.as_of_date = purposes.as_of_date
        and customers.customer_id = purposes.customer_id
)

select
    cast(unified.lender_id as string) as lender_id,
    cast(unified.customer_id as string) as customer_id,
    cast(unified.as_of_date as date) as as_of_date,
    cast(unified.country as string) as country,
    cast(unified.state as string) as state,
    cast(unified.city as string) as city,
    cast(unified.postal_code as string) as postal_code,
    cast(unified.time_zone as string) as time_zone,
    cast(unified.language as string) as language,
    cast(unified.employment_type as string) as employment_type,
    cast(unified.birth_year as int) as birth_year,
    cast(unified.phone_token as string) as phone_token,
    cast(unified.email_token as string) as email_token,
    cast(unified.currency as string) as currency,
    {{ money('unified.declared_monthly_income') }} as declared_monthly_income,
    {{ money('unified.income_monthly') }} as income_monthly,
    cast(false as boolean) as is_income_imputed,
    cast(unified.bureau_score as int) as bureau_score,
    cast(unified.bureau_report_date as date) as bureau_report_date,
    cast(unified.open_tradelines as int) as open_tradelines,
    {{ money('unified.total_sanctioned') }} as total_sanctioned,
    {{ money('unified.total_balance') }} as total_balance,
    {{ money('unified.bureau_overdue') }} as bureau_overdue,
    cast(unified.utilisation as double) as utilisation,
    {{ money('unified.total_emi_monthly') }} as total_emi_monthly,
    cast(unified.enquiries_30d as int) as enquiries_30d,
    cast(unified.enquiries_90d as int) as enquiries_90d,
    cast(unified.enquiries_180d as int) as enquiries_180d,
    cast(unified.worst_status_6m as int) as worst_status_6m,
    cast(unified.worst_status_12m as int) as worst_status_12m,
    cast(unified.worst_status_24m as int) as worst_status_24m,
    cast({{ ratio('unified.total_emi_monthly', 'unified.income_monthly') }} as double)
        as debt_to_income,
    cast(unified.savings_rate as double) as savings_rate,
    {{ money('unified.monthly_inflow_mean') }} as monthly_inflow_mean,
    {{ money('unified.monthly_outflow_mean') }} as monthly_outflow_mean,
    {%- for category in spend_categories() + ['other'] %}
    cast(unified.spend_share_{{ category }} as double) as spend_share_{{ category }},
    {%- endfor %}
    cast(unified.bounce_count_90d as int) as bounce_count_90d,
    {{ money('unified.min_balance_30d') }} as min_balance_30d,
    cast(unified.salary_day as int) as salary_day,
    cast(unified.aa_purposes as string) as aa_purposes,
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
    cast(unified.open_accounts as int) as open_accounts,
    cast(unified.max_days_past_due as int) as max_days_past_due
from unified
inner join {{ ref('int_customer_flags') }} as flags
    on unified.as_of_date = flags.as_of_date
    and unified.customer_id = flags.customer_id
inner join {{ ref('int_customer_behaviour') }} as behaviour
    on unified.as_of_date = behaviour.as_of_date
    and unified.customer_id = behaviour.customer_id
left join {{ ref('int_customer_engagement') }} as engagement
    on unified.as_of_date = engagement.as_of_date
    and unified.customer_id = engagement.customer_id
