-- A customer's attributes come from one account: the one with the newest snapshot, lowest number.
with

ranked as (
    select
        standing.*,
        row_number() over (
            partition by standing.as_of_date, standing.customer_id
            order by standing.snapshot_date desc nulls last, standing.account_id asc nulls last
        ) as recency
    from {{ ref('int_account_standing') }} as standing
),

accounts as (
    select
        as_of_date,
        customer_id,
        currency,
        sum(case when account_status = 'open' then 1 else 0 end) as open_accounts,
        sum(case when account_status = 'open' then emi_amount else 0 end) as own_emi_monthly,
        max(days_past_due) as max_days_past_due,
        min(opened_date) as first_opened_date
    from {{ ref('int_account_standing') }}
    group by as_of_date, customer_id, currency
),

customers as (
    select
        as_of_date,
        customer_id,
        cast(sum(open_accounts) as int) as open_accounts,
        cast(max(max_days_past_due) as int) as max_days_past_due,
        min(first_opened_date) as first_opened_date
    from accounts
    group by as_of_date, customer_id
)

select
    ranked.lender_id,
    ranked.as_of_date,
    ranked.customer_id,
    ranked.phone_token,
    ranked.email_token,
    ranked.birth_year,
    ranked.country,
    ranked.state,
    ranked.city,
    ranked.postal_code,
    ranked.time_zone,
    ranked.language,
    ranked.employment_type,
    ranked.declared_monthly_income,
    ranked.currency,
    customers.open_accounts,
    customers.max_days_past_due,
    cast(customers.first_opened_date as date) as first_opened_date,
    -- Money of one currency only: the currency of the customer's row.
    {{ money('accounts.own_emi_monthly') }} as own_emi_monthly
from ranked
inner join customers
    on ranked.as_of_date = customers.as_of_date
    and ranked.customer_id = customers.customer_id
inner join accounts
    on ranked.as_of_date = accounts.as_of_date
    and ranked.customer_id = accounts.customer_id
    and ranked.currency = accounts.currency
where ranked.recency = 1
