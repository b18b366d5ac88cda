with

-- The linked accounts of a day; customers and accounts are numbers while transactions are added up.
links as (
    select
        usable.as_of_date,
        days.cutoff_utc,
        usable.customer_id,
        dense_rank() over (
            order by usable.as_of_date asc nulls last, usable.customer_id asc nulls last
        ) as customer_number,
        usable.link_number,
        usable.last_fetched_date,
        customers.currency,
        case when usable.currency = customers.currency then usable.current_balance end
            as current_balance
    from {{ ref('int_aa_usable_links') }} as usable
    inner join {{ ref('int_as_of_dates') }} as days
        on usable.as_of_date = days.as_of_date
    inner join {{ ref('int_customer_standing') }} as customers
        on usable.as_of_date = customers.as_of_date
        and usable.customer_id = customers.customer_id
),

customers as (
    select
        customer_number,
        as_of_date,
        customer_id,
        sum(current_balance) as bank_balance
    from links
    group by customer_number, as_of_date, customer_id
),

used as (
    select
        links.customer_number,
        links.link_number,
        transactions.value_date,
        transactions.direction,
        transactions.category,
        transactions.amount,
        transactions.balance_after,
        {{ days_between('transactions.value_date', 'links.as_of_date') }} as age_days,
        -- Before the newest fetch, not before the day: what was not fetched yet is no fall of income.
        greatest(
            0, {{ days_between('transactions.value_date', 'links.last_fetched_date') }}
        ) as fetched_age_days
    from links
    inner join {{ ref('int_aa_transaction_versions') }} as transactions
        on links.link_number = transactions.link_number
        and links.currency = transactions.currency
        and {{ in_window('transactions.value_date', 'links.as_of_date', 180) }}
        and {{ known_at('transactions', 'links.cutoff_utc') }}
),

-- One pass over the transactions in disjoint spans; windows and months are put together from few rows.
aged as (
    select
        used.*,
        {{ span_days('age_days') }} as span_days,
        cast(floor(cast(fetched_age_days as double) / 30) as int) as month
    from used
),

spans as (
    select
        customer_number,
        span_days,
        month,
        max(age_days) as oldest_age_days,
        max(fetched_age_days) as oldest_fetched_age_days,
        {{ money("sum(case when direction = 'CREDIT' then amount else 0 end)") }} as inflow,
        {{ money("sum(case when direction = 'DEBIT' then amount else 0 end)") }} as outflow,
        {{ money(
            "sum(case when direction = 'CREDIT' and category = 'salary' then amount else 0 end)"
        ) }} as salary,
        cast(sum(case when category = 'bounce_charge' then 1 else 0 end) as int) as bounces,
        min(balance_after) as min_balance
    from aged
    group by customer_number, span_days, month
),

totals as (
    select
        customer_number,
        {%- for length in windows() %}
        {{ money(sum_in_window('inflow', length)) }} as inflow_{{ length }}d,
        {{ money(sum_in_window('outflow', length)) }} as outflow_{{ length }}d,
        cast({{ sum_in_window('bounces', length) }} as int) as bounce_count_{{ length }}d,
        min(case when span_days <= {{ length }} then min_balance end) as min_balance_{{ length }}d,
        {%- endfor %}
        {%- for flow in ['inflow', 'outflow', 'salary'] %}
        {%- for month in range(6) %}
        sum(case when month = {{ month }} then {{ flow }} else 0 end) as {{ flow }}_m{{ month }},
        {%- endfor %}
        {%- endfor %}
        -- Months are 30 days; a history shorter than the window is not diluted over days before it.
        least(90, greatest(30, max(oldest_age_days) + 1)) as observed_days,
        least(6, cast(floor(cast(max(oldest_fetched_age_days) + 1 as double) / 30) as int))
            as months
    from spans
    group by customer_number
),

whole_months as (
    select
        customer_number,
        {%- for flow in ['inflow', 'outflow', 'salary'] %}
        {%- for month in range(6) %}
        cast(case when months > {{ month }} then {{ flow }}_m{{ month }} else 0 end as double)
            as {{ flow }}_m{{ month }},
        {%- endfor %}
        {%- endfor %}
        months
    from totals
),

spending as (
    select
        {%- for category in spend_categories() %}
        sum(case when category = '{{ category }}' then amount else 0 end) as {{ category }}_90d,
        {%- endfor %}
        customer_number
    from used
    where direction = 'DEBIT' and age_days < 90
    group by customer_number
),

salary_months as (
    select
        customer_number,
        sum(amount) as salary_90d,
        count(distinct extract(year from value_date) * 12 + extract(month from value_date))
            as months
    from used
    where direction = 'CREDIT' and category = 'salary' and age_days < 90
    group by customer_number
),

-- Of salary and of instalments: the day of the month on which they came most often.
usual_days as (
    {%- for kind, direction in [('salary', 'CREDIT'), ('emi', 'DEBIT')] %}
    {% if not loop.first %}union all{% endif %}
    select
        customer_number,
        '{{ kind }}' as kind,
        extract(day from value_date) as day_of_month,
        row_number() over (
            partition by customer_number
            order by count(*) desc nulls last, extract(day from value_date) asc nulls last
            -- unique: a day of the month is one group.
        ) as commonness
    from used
    where direction = '{{ direction }}' and category = '{{ kind }}'
    group by customer_number, extract(day from value_date)
    {%- endfor %}
),

days_of_month as (
    select
        customer_number,
        max(case when kind = 'salary' then day_of_month end) as salary_day,
        max(case when kind = 'emi' then day_of_month end) as emi_day
    from usual_days
    where commonness = 1
    group by customer_number
),

-- What stood in the bank in the week before an instalment was taken, and right before it was.
before_instalments as (
    select
        instalments.customer_number,
        min(least(instalments.balance_after + instalments.amount, earlier.balance_after))
            as min_balance_before_emi_90d
    from used as instalments
    left join used as earlier
        on instalments.customer_number = earlier.customer_number
        and earlier.age_days between instalments.age_days + 1 and instalments.age_days + 7
    where
        instalments.direction = 'DEBIT'
        and instalments.category = 'emi'
        and instalments.age_days < 90
    group by instalments.customer_number
),

-- The lowest balance of a day on which money moved stands until the next such day, or until the newest
-- fetch: the order of a day's transactions is not known, so its closing balance is not either. The
-- lowest comes last among its day's, and whatever comes before it is held for no day.
held_balances as (
    select
        customer_number,
        link_number,
        balance_after as balance,
        -- Whole units: the square of a balance in cents, times days, may not fit a DECIMAL.
        cast(round(balance_after, 0) as decimal(17, 0)) as units,
        cast(
            fetched_age_days + 1 - coalesce(
                lead(fetched_age_days + 1) over (
                    partition by customer_number, link_number
                    order by age_days desc nulls last, balance_after desc nulls first
                    -- unique: transactions of one day that leave the same balance are alike here.
                ),
                0
            ) as decimal(3, 0)
        ) as days_held
    from used
),

account_balances as (
    select
        customer_number,
        link_number,
        {{ money('round(' ~ ratio('sum(balance * days_held)', 'sum(days_held)') ~ ', 2)') }}
            as mean_balance,
        {{ money('round(' ~ deviation(
            'sum(days_held)', 'sum(units * days_held)', 'sum(units * units * days_held)'
        ) ~ ', 2)') }} as deviation
    from held_balances
    group by customer_number, link_number
),

mean_balances as (
    select
        customer_number,
        sum(mean_balance) as mean_balance_180d,
        sum(deviation) as deviation_180d
    from account_balances
    group by customer_number
)

select
    customers.as_of_date,
    customers.customer_id,
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
    {%- for length in windows() %}
    {{ money('totals.inflow_' ~ length ~ 'd') }} as inflow_{{ length }}d,
    {{ money('totals.outflow_' ~ length ~ 'd') }} as outflow_{{ length }}d,
    cast(totals.bounce_count_{{ length }}d as int) as bounce_count_{{ length }}d,
    {{ money('totals.min_balance_' ~ length ~ 'd') }} as min_balance_{{ length }}d,
    {%- endfor %}
    {%- for flow in ['inflow', 'outflow'] %}
    cast({{ volatility_of_months('whole_months.' ~ flow, 'whole_months.months') }} as double)
        as {{ flow }}_volatility,
    cast({{ trend_of_months('whole_months.' ~ flow, 'whole_months.months') }} as double)
        as {{ flow }}_trend,
    {%- endfor %}
    cast(
        case
            when whole_months.months >= 1
                then {{ ratio(
                    sum_of_months('whole_months.salary', 'case when {value} > 0 then 1 else 0 end'),
                    'whole_months.months'
                ) }}
        end as double
    ) as income_regularity,
    cast({{ volatility_of_months('whole_months.salary', 'whole_months.months') }} as double)
        as salary_volatility,
    {{ money('round(' ~ ratio(
        '(coalesce(spending.'
        ~ fixed_obligations() | join('_90d, 0) + coalesce(spending.') ~ '_90d, 0)) * 30',
        'totals.observed_days'
    ) ~ ', 2)') }} as fixed_obligations_monthly,
    {{ money('before_instalments.min_balance_before_emi_90d') }} as min_balance_before_emi_90d,
    {{ money('customers.bank_balance') }} as bank_balance,
    {{ ratio('customers.bank_balance * totals.observed_days', 'totals.outflow_90d') }}
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
inner join customers on totals.customer_number = customers.customer_number
inner join whole_months on totals.customer_number = whole_months.customer_number
left join spending on totals.customer_number = spending.customer_number
left join salary_months on totals.customer_number = salary_months.customer_number
left join days_of_month on totals.customer_number = days_of_month.customer_number
left join before_instalments on totals.customer_number = before_instalments.customer_number
left join mean_balances on totals.customer_number = mean_balances.customer_number
