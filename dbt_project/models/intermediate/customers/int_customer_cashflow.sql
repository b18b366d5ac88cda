with

used as (
    select
        links.as_of_date,
        links.customer_id,
        transactions.*,
        {{ days_between('transactions.value_date', 'links.as_of_date') }} as age_days
    from {{ ref('int_aa_usable_links') }} as links
    inner join {{ ref('int_as_of_dates') }} as days
        on links.as_of_date = days.as_of_date
    inner join {{ ref('int_customer_standing') }} as customers
        on links.as_of_date = customers.as_of_date
        and links.customer_id = customers.customer_id
    inner join {{ ref('int_aa_transaction_days') }} as transactions
        on links.consent_id = transactions.consent_id
        and links.link_ref_number = transactions.link_ref_number
        and customers.currency = transactions.currency
        and {{ in_window('transactions.value_date', 'links.as_of_date', 180) }}
        and {{ known_at('transactions', 'days.cutoff_utc') }}
),

totals as (
    select
        as_of_date,
        customer_id,
        sum(case when age_days < 90 then inflow else 0 end) as inflow_90d,
        sum(case when age_days < 90 then outflow else 0 end) as outflow_90d,
        {%- for category in spend_categories() %}
        sum(case when age_days < 90 then spend_{{ category }} else 0 end)
            as spend_{{ category }}_90d,
        {%- endfor %}
        sum(case when age_days < 90 then bounces else 0 end) as bounce_count_90d,
        min(case when age_days < 30 then min_balance end) as min_balance_30d,
        -- Months are 30 days; a history shorter than the window is not diluted over days before it.
        least(90, greatest(30, max(age_days) + 1)) as observed_days
    from used
    group by as_of_date, customer_id
),

salary_months as (
    select
        as_of_date,
        customer_id,
        sum(salary) as salary_90d,
        count(distinct extract(year from value_date) * 12 + extract(month from value_date))
            as months
    from used
    where salary is not null and age_days < 90
    group by as_of_date, customer_id
),

salary_days as (
    select
        as_of_date,
        customer_id,
        extract(day from value_date) as day_of_month,
        row_number() over (
            partition by as_of_date, customer_id
            order by count(*) desc nulls last, extract(day from value_date) asc nulls last
            -- unique: a day of the month is one group.
        ) as commonness
    from used
    where salary is not null
    group by as_of_date, customer_id, extract(day from value_date)
)

select
    totals.as_of_date,
    totals.customer_id,
    {{ money('round(' ~ ratio('salary_months.salary_90d', 'salary_months.months') ~ ', 2)') }}
        as salary_monthly,
    {{ money('round(' ~ ratio('totals.inflow_90d * 30', 'totals.observed_days') ~ ', 2)') }}
        as monthly_inflow_mean,
    {{ money('round(' ~ ratio('totals.outflow_90d * 30', 'totals.observed_days') ~ ', 2)') }}
        as monthly_outflow_mean,
    {{ ratio('totals.inflow_90d - totals.outflow_90d', 'totals.inflow_90d') }} as savings_rate,
    {%- for category in spend_categories() %}
    {{ ratio('totals.spend_' ~ category ~ '_90d', 'totals.outflow_90d') }}
        as spend_share_{{ category }},
    {%- endfor %}
    {{ ratio(
        'totals.outflow_90d - totals.spend_'
        ~ spend_categories() | join('_90d - totals.spend_') ~ '_90d',
        'totals.outflow_90d'
    ) }} as spend_share_other,
    cast(totals.bounce_count_90d as int) as bounce_count_90d,
    {{ money('totals.min_balance_30d') }} as min_balance_30d,
    cast(salary_days.day_of_month as int) as salary_day
from totals
left join salary_months
    on totals.as_of_date = salary_months.as_of_date
    and totals.customer_id = salary_months.customer_id
left join salary_days
    on totals.as_of_date = salary_days.as_of_date
    and totals.customer_id = salary_days.customer_id
    and salary_days.commonness = 1
