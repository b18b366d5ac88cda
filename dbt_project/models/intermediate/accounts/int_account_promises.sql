-- A promise is kept when what was paid from the day it was made up to the promised day reaches the
-- promised amount; it is judged once the promised day is over. Without an amount, any payment keeps it.
with

promises as (
    select
        days.as_of_date,
        days.cutoff_utc,
        contacts.contact_id,
        contacts.account_id,
        contacts.contact_date,
        contacts.promise_amount,
        contacts.promise_date
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_contacts') }} as contacts
        on {{ in_window('contacts.contact_date', 'days.as_of_date', 180) }}
        and {{ known_at('contacts', 'days.cutoff_utc') }}
    where contacts.outcome = 'promise_to_pay'
),

-- The conditions stand in the CASE, so that the join is one of equality alone.
paid as (
    select
        promises.as_of_date,
        promises.contact_id,
        sum(
            case
                when payments.value_date between promises.contact_date and promises.promise_date
                    and payments.value_date <= promises.as_of_date
                    and {{ known_at('payments', 'promises.cutoff_utc') }}
                    then payments.paid_amount
                else 0
            end
        ) as paid_amount
    from promises
    inner join {{ ref('int_payment_days') }} as payments
        on promises.account_id = payments.account_id
    group by promises.as_of_date, promises.contact_id
),

judged as (
    select
        promises.as_of_date,
        promises.account_id,
        {{ span_days(days_between('promises.contact_date', 'promises.as_of_date')) }} as span_days,
        coalesce(promises.promise_date <= promises.as_of_date, false) as is_due,
        coalesce(paid.paid_amount, 0) > 0
        and coalesce(paid.paid_amount, 0) >= coalesce(promises.promise_amount, 0) as is_paid
    from promises
    left join paid
        on promises.as_of_date = paid.as_of_date
        and promises.contact_id = paid.contact_id
)

select
    as_of_date,
    account_id,
    {%- for length in windows() %}
    cast({{ sum_in_window('1', length) }} as int) as promises_{{ length }}d,
    cast({{ sum_in_window('case when is_due and is_paid then 1 else 0 end', length) }} as int)
        as promises_kept_{{ length }}d,
    cast({{ sum_in_window('case when is_due and not is_paid then 1 else 0 end', length) }} as int)
        as promises_broken_{{ length }}d{% if not loop.last %},{% endif %}
    {%- endfor %}
from judged
group by as_of_date, account_id
