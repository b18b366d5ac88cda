with

paid as (
    select
        days.as_of_date,
        payments.account_id,
        payments.value_date,
        payments.payments,
        payments.paid_amount,
        payments.bounces,
        {{ days_between('payments.value_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_payment_days') }} as payments
        on payments.value_date <= days.as_of_date
        and {{ known_at('payments', 'days.cutoff_utc') }}
)

select
    as_of_date,
    account_id,
    cast(sum(case when age_days < 30 then payments else 0 end) as int) as payments_30d,
    cast(sum(case when age_days < 90 then payments else 0 end) as int) as payments_90d,
    cast(sum(case when age_days < 180 then payments else 0 end) as int) as payments_180d,
    {{ money('sum(case when age_days < 30 then paid_amount else 0 end)') }} as paid_amount_30d,
    {{ money('sum(case when age_days < 90 then paid_amount else 0 end)') }} as paid_amount_90d,
    {{ money('sum(case when age_days < 180 then paid_amount else 0 end)') }} as paid_amount_180d,
    cast(sum(case when age_days < 90 then bounces else 0 end) as int) as bounces_90d,
    cast(max(case when payments > 0 then value_date end) as date) as last_payment_date
from paid
group by as_of_date, account_id
