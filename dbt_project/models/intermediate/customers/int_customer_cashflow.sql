with

used as (
    select
        links.as_of_date,
        links.customer_id,
        transactions.link_ref_number,
        transactions.value_date,
        transactions.direction,
        transactions.category,
        transactions.transactions,
        transactions.amount,
        transactions.min_balance,
        transactions.min_balance_before,
        {{ days_between('transactions.value_date', 'links.as_of_date') }} as age_days,
        -- Before the newest fetch, not before the day: what was not fetched yet is no fall of income.
        greatest(
            0, {{ days_between('transactions.value_date', 'links.last_fetched_date') }}
        ) as fetched_age_days
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

-- One pass over the days in disjoint spans; windows and months are put together from few rows.
aged as (
    select
        used.*,
        case
            when age_days < 7 then 7
            when age_days < 30 then 30
            when age_days < 90 then 90
            else 180
        end as span_days,
        cast(floor(cast(fetched_age_days as double) / 30) as int) as month
    from used
),

spans as (
    select
        as_of_date,
        customer_id,
        span_days,
        month,
        max(age_days) as oldest_age_days,
        max(fetched_age_days) as oldest_fetched_age_days,
        sum(case when direction = 'CREDIT' then amount else 0 end) as inflow,
        sum(case when direction = 'DEBIT' then amount else 0 end) as outflow,
        sum(case when direction = 'CREDIT' and category = 'salary' then amount else 0 end)
            as salary,
        sum(case when category = 'bounce_charge' then transactions else 0 end) as bounces,
        min(min_balance) as min_balance
    from aged
    group by as_of_date, customer_id, span_days, month
),

totals as (
    select
        as_of_date,
        customer_id,
        {%- for length in [7, 30, 90, 180] %}
        sum(case when span_days <= {{ length }} then inflow else 0 end) as inflow_{{ length }}d,
        sum(case when span_days <= {{ length }} then outflow else 0 end) as outflow_{{ length }}d,
        sum(case when span_days <= {{ length }} then bounces else 0 end)
            as bounce_count_{{ length }}d,
        min(case when span_days <= {{ length }} then min_balance end) as min_balance_{{ length }}d,
        {%- endfor %}
        {%- for month in range(6) %}
        sum(case when month = {{ month }} then inflow else 0 end) as inflow_m{{ month }},
        sum(case when month = {{ month }} then outflow else 0 end) as outflow_m{{ month }},
        sum(case when month = {{ month }} then salary else 0 end) as salary_m{{ month }},
        {%- endfor %}
        -- Months are 30 days; a history shorter than the window is not diluted over days before it.
        least(90, greatest(30, max(oldest_age_days) + 1)) as observed_days,
        least(6, cast(floor(cast(max(oldest_fetched_age_days) + 1 as double) / 30) as int))
            as months
    from spans
    group by as_of_date, customer_id
),

spent as (
    select
        as_of_date,
        customer_id,
        category,
        sum(amount) as amount
    from used
    where direction = 'DEBIT' and age_days < 90
    group by as_of_date, customer_id, category
),

spending as (
    select
        {%- for category in spend_categories() %}
        sum(case when category = '{{ category }}' then amount else 0 end) as {{ category }}_90d,
        {%- endfor %}
        as_of_date,
        customer_id
    from spent
    group by as_of_date, customer_id
),

salary_months as (
    select
        as_of_date,
        customer_id,
        sum(amount) as salary_90d,
        count(distinct extract(year from value_date) * 12 + extract(month from value_date))
            as months
    from used
    where direction = 'CREDIT' and category = 'salary' and age_days < 90
    group by as_of_date, customer_id
),

-- Of salary and of instalments: the day of the month on which they came most often.
usual_days as (
    {%- for kind, direction in [('salary', 'CREDIT'), ('emi', 'DEBIT')] %}
    {% if not loop.first %}union all{% endif %}
    select
        as_of_date,
        customer_id,
        '{{ kind }}' as kind,
        extract(day from value_date) as day_of_month,
        row_number() over (
            partition by as_of_date, customer_id
            order by sum(transactions) desc nulls last, extract(day from value_date) asc nulls last
            -- unique: a day of the month is one group.
        ) as commonness
    from used
    where direction = '{{ direction }}' and category = '{{ kind }}'
    group by as_of_date, customer_id, extract(day from value_date)
    {%- endfor %}
),

days_of_month as (
    select
        as_of_date,
        customer_id,
        max(case when kind = 'salary' then day_of_month end) as salary_day,
        max(case when kind = 'emi' then day_of_month end) as emi_day
    from usual_days
    where commonness = 1
    group by as_of_date, customer_id
),

-- What stood in the bank in the week before an instalment was taken, and right before it was.
before_instalments as (
    select
        instalments.as_of_date,
        instalments.customer_id,
        min(least(instalments.min_balance_before, earlier.min_balance))
            as min_balance_before_emi_90d
    from used as instalments
    left join used as earlier
        on instalments.as_of_date = earlier.as_of_date
        and instalments.customer_id = earlier.customer_id
        and earlier.age_days between instalments.age_days + 1 and instalments.age_days + 7
    where
        instalments.direction = 'DEBIT'
        and instalments.category = 'emi'
        and instalments.age_days < 90
    group by instalments.as_of_date, instalments.customer_id
),

-- The lowest balance of a day on which money moved stands until the next such day, or until the newest
-- fetch: the order of a day's transactions is not known, so its closing balance is not either.
day_balances as (
    select
        as_of_date,
        customer_id,
        link_ref_number,
        value_date,
        min(fetched_age_days) as fetched_age_days,
        min(min_balance) as balance
    from used
    group by as_of_date, customer_id, link_ref_number, value_date
),

held_balances as (
    select
        as_of_date,
        customer_id,
        link_ref_number,
        balance,
        -- Whole units: the square of a balance in cents, times days, may not fit a DECIMAL.
        cast(round(balance, 0) as decimal(17, 0)) as units,
        cast(
            fetched_age_days + 1 - coalesce(
                lead(fetched_age_days + 1) over (
                    partition by as_of_date, customer_id, link_ref_number
                    order by value_date asc nulls last
                    -- unique: a day of an account is one group.
                ),
                0
            ) as decimal(3, 0)
        ) as days_held
    from day_balances
),

account_balances as (
    select
        as_of_date,
        customer_id,
        link_ref_number,
        {{ money('round(' ~ ratio('sum(balance * days_held)', 'sum(days_held)') ~ ', 2)') }}
            as mean_balance,
        {{ money('round(' ~ deviation(
            'sum(days_held)', 'sum(units * days_held)', 'sum(units * units * days_held)'
        ) ~ ', 2)') }} as deviation
    from held_balances
    group by as_of_date, customer_id, link_ref_number
),

mean_balances as (
    select
        as_of_date,
        customer_id,
        sum(mean_balance) as mean_balance_180d,
        sum(deviation) as deviation_180d
    from account_balances
    group by as_of_date, customer_id
),

balances as (
    select
        links.as_of_date,
        links.customer_id,
        sum(links.current_balance) as bank_balance
    from {{ ref('int_aa_usable_links') }} as links
    inner join {{ ref('int_customer_standing') }} as customers
        on links.as_of_date = customers.as_of_date
        and links.customer_id = customers.customer_id
        and links.currency = customers.currency
    group by links.as_of_date, links.customer_id
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
    {{ ratio('coalesce(spending.' ~ category ~ '_90d, 0)', 'totals.outflow_90d') }}
        as spend_share_{{ category }},
    {%- endfor %}
    {{ ratio(
        'totals.outflow_90d - coalesce(spending.'
        ~ spend_categories() | join('_90d, 0) - coalesce(spending.') ~ '_90d, 0)',
        'totals.outflow_90d'
    ) }} as spend_share_other,
    {%- for length in [7, 30, 90, 180] %}
    {{ money('totals.inflow_' ~ length ~ 'd') }} as inflow_{{ length }}d,
    {{ money('totals.outflow_' ~ length ~ 'd') }} as outflow_{{ length }}d,
    cast(totals.bounce_count_{{ length }}d as int) as bounce_count_{{ length }}d,
    {{ money('totals.min_balance_' ~ length ~ 'd') }} as min_balance_{{ length }}d,
    {%- endfor %}
    {%- for flow in ['inflow', 'outflow'] %}
    cast({{ volatility_of_months('totals.' ~ flow, 'totals.months') }} as double)
        as {{ flow }}_volatility,
    cast({{ trend_of_months('totals.' ~ flow, 'totals.months') }} as double) as {{ flow }}_trend,
    {%- endfor %}
    cast(
        case
            when totals.months >= 1
                then {{ ratio(
                    sum_of_months(
                        'totals.salary', 'totals.months', 'case when {value} > 0 then 1 else 0 end'
                    ),
                    'totals.months'
                ) }}
        end as double
    ) as income_regularity,
    cast({{ volatility_of_months('totals.salary', 'totals.months') }} as double)
        as salary_volatility,
    {{ money('round(' ~ ratio(
        '(coalesce(spending.'
        ~ fixed_obligations() | join('_90d, 0) + coalesce(spending.') ~ '_90d, 0)) * 30',
        'totals.observed_days'
    ) ~ ', 2)') }} as fixed_obligations_monthly,
    {{ money('before_instalments.min_balance_before_emi_90d') }} as min_balance_before_emi_90d,
    {{ money('balances.bank_balance') }} as bank_balance,
    {{ ratio('balances.bank_balance * totals.observed_days', 'totals.outflow_90d') }}
        as liquidity_days,
    cast(days_of_month.salary_day as int) as salary_day,
    cast(days_of_month.emi_day as int) as emi_day,
    {{ money('mean_balances.mean_balance_180d') }} as mean_balance_180d,
    cast(
        case
            when mean_balances.mean_balance_180d > 0
                then {{ ratio('mean_balances.deviation_180d', 'mean_balances.mean_balance_180d') }}
        end as double
    ) as balance_volatility_180d
from totals
left join spending
    on totals.as_of_date = spending.as_of_date
    and totals.customer_id = spending.customer_id
left join salary_months
    on totals.as_of_date = salary_months.as_of_date
    and totals.customer_id = salary_months.customer_id
left join days_of_month
    on totals.as_of_date = days_of_month.as_of_date
    and totals.customer_id = days_of_month.customer_id
left join before_instalments
    on totals.as_of_date = before_instalments.as_of_date
    and totals.customer_id = before_instalments.customer_id
left join balances
    on totals.as_of_date = balances.as_of_date
    and totals.customer_id = balances.customer_id
left join mean_balances
    on totals.as_of_date = mean_balances.as_of_date
    and totals.customer_id = mean_balances.customer_id
