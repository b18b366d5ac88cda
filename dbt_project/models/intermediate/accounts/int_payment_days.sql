-- One row an account, value date, method and span of knowledge: whatever multiplies by as-of dates
-- later is small. What a payment was for is judged once, by what was known when it became known.
with

paid as (
    select
        account_id,
        value_date,
        method,
        known_from,
        known_until,
        cast(sum(case when status = 'success' then 1 else 0 end) as int) as payments,
        {{ money("sum(case when status = 'success' then amount else 0 end)") }} as paid_amount,
        cast(sum(case when status = 'bounced' then 1 else 0 end) as int) as bounces
    from {{ ref('int_payment_versions') }}
    group by account_id, value_date, method, known_from, known_until
),

arrivals as (
    select distinct
        account_id,
        value_date,
        known_from
    from paid
    where payments > 0
        and value_date
        > (select {{ plus_days('min(days.as_of_date)', -180) }} from {{ ref('int_as_of_dates') }} as days)
),

-- Equality on the day finds the snapshots before a payment faster than a range does.
looked_up as (
    select
        arrivals.account_id,
        arrivals.value_date,
        arrivals.known_from,
        {{ plus_days('arrivals.value_date', '-offsets.days_before') }} as snapshot_date
    from arrivals
    cross join (
        {%- for days_before in range(1, var('snapshot_carry_days') + 1) %}
        {% if not loop.first %}union all {% endif %}select {{ days_before }} as days_before
        {%- endfor %}
    ) as offsets
),

standing as (
    select
        looked_up.account_id,
        looked_up.value_date,
        looked_up.known_from,
        case
            when versions.days_past_due > 0
                then {{ plus_days('versions.snapshot_date', '1 - versions.days_past_due') }}
            else versions.next_due_date
        end as due_date,
        versions.overdue_amount
        + case when versions.next_due_date is not null then versions.emi_amount else 0 end
            as owed_amount,
        row_number() over (
            partition by looked_up.account_id, looked_up.value_date, looked_up.known_from
            order by versions.snapshot_date desc nulls last
            -- unique: one version of a snapshot is known at an instant.
        ) as recency
    from looked_up
    inner join {{ ref('int_portfolio_versions') }} as versions
        on looked_up.account_id = versions.account_id
        and looked_up.snapshot_date = versions.snapshot_date
        and {{ known_at('versions', 'looked_up.known_from') }}
)

select
    paid.account_id,
    paid.value_date,
    paid.method,
    paid.known_from,
    paid.known_until,
    paid.payments,
    paid.paid_amount,
    paid.bounces,
    cast(standing.due_date as date) as due_date,
    {{ money('standing.owed_amount') }} as owed_amount
from paid
left join standing
    on paid.account_id = standing.account_id
    and paid.value_date = standing.value_date
    and paid.known_from = standing.known_from
    and standing.recency = 1
