with

-- What happened after a day, as far as it is known: the only place where a row looks beyond its day.
later_payments as (
    select
        days.as_of_date,
        days.known_through,
        standing.account_id,
        {{ days_between('days.as_of_date', 'payments.value_date') }} as days_after,
        payments.payments,
        payments.paid_amount
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_account_standing') }} as standing
        on days.as_of_date = standing.as_of_date
    inner join {{ ref('int_payment_days') }} as payments
        on standing.account_id = payments.account_id
        and payments.value_date > days.as_of_date
        and payments.value_date <= {{ plus_days('days.as_of_date', 30) }}
        and payments.value_date <= days.known_through
        and {{ known_at('payments', 'days.known_through_cutoff_utc') }}
),

outcomes as (
    select
        as_of_date,
        account_id,
        sum(case when days_after <= 7 then payments else 0 end) as payments_7d,
        sum(payments) as payments_30d,
        sum(paid_amount) as paid_amount_30d
    from later_payments
    group by as_of_date, account_id
)

select
    cast(standing.lender_id as string) as lender_id,
    cast(standing.account_id as string) as account_id,
    cast(standing.as_of_date as date) as as_of_date,
    cast(standing.customer_id as string) as customer_id,
    cast(standing.currency as string) as currency,
    cast(
        case
            when {{ plus_days('days.as_of_date', 7) }} <= days.known_through
                then coalesce(outcomes.payments_7d, 0) > 0
        end as boolean
    ) as paid_7d,
    cast(
        case
            when {{ plus_days('days.as_of_date', 30) }} <= days.known_through
                then coalesce(outcomes.payments_30d, 0) > 0
        end as boolean
    ) as paid_30d,
    {{ money(
        "case when " ~ plus_days('days.as_of_date', 30)
        ~ " <= days.known_through then coalesce(outcomes.paid_amount_30d, 0) end"
    ) }} as recovered_amount_30d
from {{ ref('int_account_standing') }} as standing
inner join {{ ref('int_as_of_dates') }} as days
    on standing.as_of_date = days.as_of_date
left join outcomes
    on standing.as_of_date = outcomes.as_of_date
    and standing.account_id = outcomes.account_id
