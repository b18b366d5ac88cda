with

paid as (
    select
        days.as_of_date,
        payments.account_id,
        payments.value_date,
        payments.method,
        payments.payments,
        payments.paid_amount,
        payments.bounces,
        payments.due_date,
        payments.owed_amount,
        {{ days_between('payments.value_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_payment_days') }} as payments
        on payments.value_date <= days.as_of_date
        and {{ known_at('payments', 'days.cutoff_utc') }}
),

payment_days as (
    select
        as_of_date,
        account_id,
        value_date,
        {{ span_days('age_days') }} as span_days,
        sum(payments) as payments,
        sum(paid_amount) as paid_amount,
        sum(bounces) as bounces,
        {{ days_between('max(due_date)', 'value_date') }} as days_after_due,
        greatest(0, sum(paid_amount) - max(owed_amount)) as prepaid_amount
    from paid
    group by as_of_date, account_id, value_date, age_days
),

totals as (
    select
        as_of_date,
        account_id,
        {%- for length in windows() %}
        {%- for counted in ['payments', 'bounces'] %}
        cast({{ sum_in_window(counted, length) }} as int) as {{ counted }}_{{ length }}d,
        {%- endfor %}
        {%- for summed in ['paid_amount', 'prepaid_amount'] %}
        {{ money(sum_in_window('coalesce(' ~ summed ~ ', 0)', length)) }}
            as {{ summed }}_{{ length }}d,
        {%- endfor %}
        {%- for when, condition in [
            ('early', '< 0'), ('on_due_date', '= 0'), ('late', '> 0')
        ] %}
        cast(
            {{ sum_in_window(
                'case when days_after_due ' ~ condition ~ ' then payments else 0 end', length
            ) }} as int
        ) as payments_{{ when }}_{{ length }}d,
        {%- endfor %}
        {%- endfor %}
        sum(case when span_days <= 180 and payments > 0 then 1 else 0 end) as paying_days,
        {{ sum_in_window('paid_amount', 180) }} as amount_sum,
        {{ sum_in_window('paid_amount * paid_amount', 180) }} as amount_squares,
        sum(case when span_days <= 180 and payments > 0 and days_after_due is not null then 1 else 0 end)
            as judged_days,
        sum(case when span_days <= 180 and payments > 0 then days_after_due end) as delay_sum,
        sum(case when span_days <= 180 and payments > 0 then days_after_due * days_after_due end)
            as delay_squares,
        cast(max(case when payments > 0 then value_date end) as date) as last_payment_date
    from payment_days
    group by as_of_date, account_id
),

-- The method and the day of the month by which most payments came; of two, the first by name or day.
habits as (
    {%- for kind, choice in [('method', 'method'), ('day', 'extract(day from value_date)')] %}
    {% if not loop.first %}union all{% endif %}
    select
        as_of_date,
        account_id,
        '{{ kind }}' as kind,
        cast({{ choice }} as string) as choice,
        row_number() over (
            partition by as_of_date, account_id
            order by sum(payments) desc nulls last, {{ choice }} asc nulls last
        ) as commonness
    from paid
    where payments > 0 and age_days < 180
    group by as_of_date, account_id, {{ choice }}
    {%- endfor %}
),

preferred as (
    select
        as_of_date,
        account_id,
        max(case when kind = 'method' then choice end) as payment_method,
        cast(max(case when kind = 'day' then choice end) as int) as payment_day
    from habits
    where commonness = 1
    group by as_of_date, account_id
)

select
    totals.as_of_date,
    totals.account_id,
    {%- for length in windows() %}
    {%- for name in [
        'payments', 'bounces', 'paid_amount', 'prepaid_amount',
        'payments_early', 'payments_on_due_date', 'payments_late',
    ] %}
    totals.{{ name }}_{{ length }}d,
    {%- endfor %}
    {%- endfor %}
    {{ ratio('totals.delay_sum', 'totals.judged_days') }} as payment_delay_mean_180d,
    case
        when totals.judged_days >= 3
            then {{ deviation('totals.judged_days', 'totals.delay_sum', 'totals.delay_squares') }}
    end as payment_delay_deviation_180d,
    case
        when totals.paying_days >= 3
            then {{ ratio(
                deviation('totals.paying_days', 'totals.amount_sum', 'totals.amount_squares')
                ~ ' * totals.paying_days',
                'totals.amount_sum'
            ) }}
    end as payment_amount_variation_180d,
    preferred.payment_method as preferred_payment_method_180d,
    preferred.payment_day as preferred_payment_day_180d,
    totals.last_payment_date
from totals
left join preferred
    on totals.as_of_date = preferred.as_of_date
    and totals.account_id = preferred.account_id
