-- Accounts from files that furnishers send to bureaus (Metro 2, TUDF), under the customer their
-- tokens lead to, in the shape of tradelines of a report: on a day, each account as of the newest
-- month that was known. TUDF has no history string: it is put together from the months delivered.
with

accounts as (
    select
        'metro2' as source,
        {{ metro2_record_id() }} as record_id,
        date_account_information as report_date,
        {{ metro2_product('account_type') }} as product,
        date_opened as opened_date,
        case
            when account_status in ('05', '13', '61', '62', '63', '64', '65')
                then coalesce(date_closed, date_account_information)
            else date_closed
        end as closed_date,
        currency,
        highest_credit as sanctioned_amount,
        current_balance,
        amount_past_due as overdue_amount,
        scheduled_payment_amount as emi_amount,
        credit_limit,
        {{ metro2_history_character('account_status', 'payment_rating') }} as month_status,
        payment_history as earlier_history,
        cast(account_status in ('DA', 'DF') as boolean) as is_deleted,
        _known_at,
        _file_id,
        _row_number
    from {{ ref('stg_metro2_accounts') }}
    union all
    select
        'tudf',
        {{ tudf_record_id() }},
        date_reported,
        {{ tudf_product('account_type') }},
        date_opened,
        date_closed,
        currency,
        sanctioned_amount,
        current_balance,
        overdue_amount,
        emi_amount,
        credit_limit,
        {{ tudf_history_character('written_off_amount', 'days_past_due', 'asset_classification') }},
        cast(null as string),
        cast(false as boolean),
        _known_at,
        _file_id,
        _row_number
    from {{ ref('stg_tudf_accounts') }}
),

versions as (
    select accounts.*, {{ known_interval(['source', 'record_id', 'report_date']) }} from accounts
),

months as (
    select
        days.as_of_date,
        identities.customer_id,
        versions.*,
        max(versions.report_date) over (
            partition by days.as_of_date, versions.source, versions.record_id
        ) as newest_report_date
    from {{ ref('int_as_of_dates') }} as days
    inner join versions
        on versions.report_date <= days.as_of_date
        and {{ known_at('versions', 'days.cutoff_utc') }}
    inner join {{ ref('int_customer_identities') }} as identities
        on days.as_of_date = identities.as_of_date
        and versions.source = identities.source
        and versions.record_id = identities.record_id
        and identities.customer_id is not null
),

histories as (
    select
        as_of_date,
        source,
        record_id,
        concat(
            {%- for month in range(24) %}
            coalesce(max(case when months_back = {{ month }} then month_status end), 'D')
            {%- if not loop.last %},{% endif %}
            {%- endfor %}
        ) as delivered_history
    from (
        select
            months.*,
            (extract(year from newest_report_date) - extract(year from report_date)) * 12
            + extract(month from newest_report_date) - extract(month from report_date)
                as months_back
        from months
    ) as dated
    group by as_of_date, source, record_id
),

own_accounts as (
    select distinct as_of_date, customer_id, opened_date, principal_amount, currency
    from {{ ref('int_account_standing') }}
)

select
    cast(months.as_of_date as date) as as_of_date,
    cast(months.customer_id as string) as customer_id,
    cast(months.source as string) as source,
    cast(months.record_id as string) as record_id,
    cast(months.report_date as date) as report_date,
    cast(months.product as string) as product,
    -- Numbers of accounts are tokens there and none here: the same day, sum and currency is ours.
    cast(own_accounts.customer_id is not null as boolean) as is_own_account,
    cast(months.opened_date as date) as opened_date,
    cast(months.closed_date as date) as closed_date,
    cast(months.currency as string) as currency,
    {%- for amount in [
        'sanctioned_amount', 'current_balance', 'overdue_amount', 'emi_amount', 'credit_limit'
    ] %}
    {{ money('months.' ~ amount) }} as {{ amount }},
    {%- endfor %}
    -- Field 18 of Metro 2 begins with the month before the one that the row reports.
    cast(
        case
            when months.earlier_history is null then histories.delivered_history
            else concat(months.month_status, substring(months.earlier_history, 1, 23))
        end as string
    ) as payment_history
from months
inner join histories
    on months.as_of_date = histories.as_of_date
    and months.source = histories.source
    and months.record_id = histories.record_id
left join own_accounts
    on months.as_of_date = own_accounts.as_of_date
    and months.customer_id = own_accounts.customer_id
    and months.opened_date = own_accounts.opened_date
    and months.sanctioned_amount = own_accounts.principal_amount
    and months.currency = own_accounts.currency
where months.report_date = months.newest_report_date and not months.is_deleted
