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

-- Equality on a stretch of days finds the snapshots before a payment faster than a range of days does.
-- A stretch is as long as a snapshot is carried, so those of interest lie in one or two of them.
snapshots as (
    select
        versions.*,
        {{ carry_stretch('versions.snapshot_date') }} as stretch
    from {{ ref('int_portfolio_versions') }} as versions
),

looked_up as (
    select
        arrivals.account_id,
        arrivals.value_date,
        arrivals.known_from,
        {{ carry_stretch(plus_days('arrivals.value_date', -1)) }} - stretches.before as stretch
    from arrivals
    cross join (select 0 as before union all select 1 as before) as stretches
),

standing as (
    select
        looked_up.account_id,
        looked_up.value_date,
        looked_up.known_from,
        case
            when snapshots.days_past_due > 0
                then {{ plus_days('snapshots.snapshot_date', '1 - snapshots.days_past_due') }}
            else snapshots.next_due_date
        end as due_date,
        snapshots.overdue_amount
        + case when snapshots.next_due_date is not null then snapshots.emi_amount else 0 end
            as owed_amount,
        row_number() over (
            partition by looked_up.account_id, looked_up.value_date, looked_up.known_from
            order by snapshots.snapshot_date desc nulls last
            -- unique: one version of a snapshot is known at an instant.
        ) as recency
    from looked_up
    inner join snapshots
        on looked_up.account_id = snapshots.account_id
        and looked_up.stretch = snapshots.stretch
        and snapshots.snapshot_date
        between {{ plus_days('looked_up.value_date', -var('snapshot_carry_days')) }}
        and {{ plus_days('looked_up.value_date', -1) }}
        and {{ known_at('snapshots', 'looked_up.known_from') }}
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
