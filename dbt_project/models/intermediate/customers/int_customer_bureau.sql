with

reports as (
    select
        reports.report_id,
        reports.customer_id,
        reports.report_date,
        reports.score,
        {{ known_interval(['reports.report_id']) }}
    from {{ ref('stg_bureau_reports') }} as reports
),

newest as (
    select
        days.as_of_date,
        days.cutoff_utc,
        reports.customer_id,
        reports.report_id,
        reports.report_date,
        reports.score,
        row_number() over (
            partition by days.as_of_date, reports.customer_id
            order by reports.report_date desc nulls last, reports.report_id desc nulls last
        ) as recency
    from {{ ref('int_as_of_dates') }} as days
    inner join reports
        on reports.report_date <= days.as_of_date
        and {{ known_at('reports', 'days.cutoff_utc') }}
),

-- Lines of a report may be corrected apart from one another: each contributes what was newest.
lines as (
    select
        newest.as_of_date,
        newest.customer_id,
        cast(sum(totals.open_tradelines) as int) as open_tradelines,
        {%- for amount in [
            'total_sanctioned', 'total_balance', 'bureau_overdue', 'revolving_balance',
            'revolving_limit', 'other_emi_monthly'
        ] %}
        {{ money('sum(totals.' ~ amount ~ ')') }} as {{ amount }},
        {%- endfor %}
        cast(max(totals.worst_status_6m) as int) as worst_status_6m,
        cast(max(totals.worst_status_12m) as int) as worst_status_12m,
        cast(max(totals.worst_status_24m) as int) as worst_status_24m
    from newest
    inner join {{ ref('int_customer_standing') }} as customers
        on newest.as_of_date = customers.as_of_date
        and newest.customer_id = customers.customer_id
    inner join {{ ref('int_bureau_report_totals') }} as totals
        on newest.report_id = totals.report_id
        and customers.currency = totals.currency
        and {{ known_at('totals', 'newest.cutoff_utc') }}
    where newest.recency = 1
    group by newest.as_of_date, newest.customer_id
),

enquiries as (
    select
        enquiries.customer_id,
        enquiries.enquiry_date,
        {{ known_interval(['enquiries.enquiry_id']) }}
    from {{ ref('stg_bureau_enquiries') }} as enquiries
),

enquiry_counts as (
    select
        {%- for length in [30, 90, 180] %}
        cast(
            sum(
                case
                    when {{ in_window('enquiries.enquiry_date', 'days.as_of_date', length) }} then 1
                    else 0
                end
            ) as int
        ) as enquiries_{{ length }}d,
        {%- endfor %}
        days.as_of_date,
        enquiries.customer_id
    from {{ ref('int_as_of_dates') }} as days
    inner join enquiries
        on {{ in_window('enquiries.enquiry_date', 'days.as_of_date', 180) }}
        and {{ known_at('enquiries', 'days.cutoff_utc') }}
    group by days.as_of_date, enquiries.customer_id
)

select
    newest.as_of_date,
    newest.customer_id,
    newest.score as bureau_score,
    newest.report_date as bureau_report_date,
    lines.open_tradelines,
    lines.total_sanctioned,
    lines.total_balance,
    lines.bureau_overdue,
    {{ ratio('lines.revolving_balance', 'lines.revolving_limit') }} as utilisation,
    lines.other_emi_monthly,
    lines.worst_status_6m,
    lines.worst_status_12m,
    lines.worst_status_24m,
    -- A customer with a report and without enquiries in it has none; without a report it is unknown.
    cast(coalesce(enquiry_counts.enquiries_30d, 0) as int) as enquiries_30d,
    cast(coalesce(enquiry_counts.enquiries_90d, 0) as int) as enquiries_90d,
    cast(coalesce(enquiry_counts.enquiries_180d, 0) as int) as enquiries_180d
from newest
left join lines
    on newest.as_of_date = lines.as_of_date
    and newest.customer_id = lines.customer_id
left join enquiry_counts
    on newest.as_of_date = enquiry_counts.as_of_date
    and newest.customer_id = enquiry_counts.customer_id
where newest.recency = 1
