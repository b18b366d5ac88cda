with

snapshots as (
    select
        days.lender_id,
        days.as_of_date,
        versions.account_id,
        versions.days_past_due,
        versions._file_id,
        versions._row_number,
        row_number() over (
            partition by days.as_of_date, versions.account_id
            order by
                versions.snapshot_date desc nulls last,
                versions._file_id desc nulls last,
                versions._row_number desc nulls last
        ) as recency
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_portfolio_versions') }} as versions
        on {{ in_window('versions.snapshot_date', 'days.as_of_date', var('snapshot_carry_days')) }}
        and {{ known_at('versions', 'days.cutoff_utc') }}
),

ever_npa as (
    select distinct account_id
    from {{ ref('int_portfolio_versions') }}
    where days_past_due >= {{ npa_from_day() }}
),

-- Cured only when all arrears are paid: an NPA that pays some instalments stays NPA.
npa_history as (
    select
        days.as_of_date,
        versions.account_id,
        max(
            case when versions.days_past_due >= {{ npa_from_day() }} then versions.snapshot_date end
        ) as last_npa_date,
        max(
            case
                when versions.days_past_due = 0 and versions.overdue_amount = 0
                    then versions.snapshot_date
            end
        ) as last_clear_date
    from {{ ref('int_as_of_dates') }} as days
    inner join {{ ref('int_portfolio_versions') }} as versions
        on versions.snapshot_date <= days.as_of_date
        and {{ known_at('versions', 'days.cutoff_utc') }}
    inner join ever_npa
        on versions.account_id = ever_npa.account_id
    group by days.as_of_date, versions.account_id
),

standing as (
    select
        snapshots.lender_id,
        snapshots.as_of_date,
        snapshots.account_id,
        snapshots.days_past_due,
        snapshots._file_id,
        snapshots._row_number,
        {{ delinquency_bucket('snapshots.days_past_due') }} as bucket,
        {{ sma_class(
            'snapshots.days_past_due',
            "coalesce(npa_history.last_npa_date"
            ~ " > coalesce(npa_history.last_clear_date, cast('0001-01-01' as date)), false)"
        ) }} as sma_class
    from snapshots
    left join npa_history
        on snapshots.as_of_date = npa_history.as_of_date
        and snapshots.account_id = npa_history.account_id
    where snapshots.recency = 1
)

select
    standing.lender_id,
    standing.as_of_date,
    standing.account_id,
    portfolio.customer_id,
    portfolio.snapshot_date,
    portfolio.phone_token,
    portfolio.email_token,
    portfolio.national_id_token,
    portfolio.birth_year,
    portfolio.country,
    portfolio.state,
    portfolio.city,
    portfolio.postal_code,
    portfolio.time_zone,
    portfolio.language,
    portfolio.employment_type,
    portfolio.declared_monthly_income,
    portfolio.product,
    portfolio.opened_date,
    portfolio.currency,
    portfolio.principal_amount,
    portfolio.outstanding_amount,
    portfolio.overdue_amount,
    portfolio.emi_amount,
    portfolio.next_due_date,
    portfolio.emis_overdue,
    portfolio.annual_rate,
    portfolio.tenor_months,
    portfolio.account_status,
    portfolio.last_payment_date,
    standing.days_past_due,
    cast(standing.bucket as string) as bucket,
    cast(standing.sma_class as string) as sma_class,
    cast(standing.days_past_due > 0 and portfolio.account_status <> 'closed' as boolean)
        as is_delinquent
from standing
inner join {{ ref('stg_portfolio_accounts') }} as portfolio
    on standing._file_id = portfolio._file_id
    and standing._row_number = portfolio._row_number
