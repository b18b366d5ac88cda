-- noqa: disable=LT02
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

-- Who has no report may have accounts in files of furnishers. With a report these are left out: it
-- lists the accounts of every furnisher, and would count them twice.
furnished as (
    select
        as_of_date,
        customer_id,
        currency,
        max(report_date) as report_date,
        {{ tradeline_totals() }}
    from {{ tradeline_facts(ref('int_furnished_tradelines')) }} as lines
    group by as_of_date, customer_id, currency
),

enquiries as (
    select
        enquiries.customer_id,
        enquiries.enquiry_date,
        {{ product_or_other('enquiries.product') }} as product_group,
        {{ known_interval(['enquiries.enquiry_id']) }}
    from {{ ref('stg_bureau_enquiries') }} as enquiries
),

enquiries_known as (
    select
        days.as_of_date,
        enquiries.customer_id,
        enquiries.product_group,
        {{ days_between('enquiries.enquiry_date', 'days.as_of_date') }} as age_days
    from {{ ref('int_as_of_dates') }} as days
    inner join enquiries
        on {{ in_window('enquiries.enquiry_date', 'days.as_of_date', 180) }}
        and {{ known_at('enquiries', 'days.cutoff_utc') }}
),

enquiry_counts as (
    select
        as_of_date,
        customer_id
        {%- for length in [7, 30, 90, 180] %},
        count(case when age_days < {{ length }} then 1 end) as enquiries_{{ length }}d
        {%- for product in credit_products() + ['other'] %},
        count(case when age_days < {{ length }} and product_group = '{{ product }}' then 1 end)
            as {{ product }}_enquiries_{{ length }}d
        {%- endfor %}
        {%- endfor %}
    from enquiries_known
    group by as_of_date, customer_id
),

subjects as (
    select
        customers.as_of_date,
        customers.customer_id,
        customers.currency,
        newest.report_id,
        newest.score as bureau_score,
        newest.report_date as bureau_report_date
    from {{ ref('int_customer_standing') }} as customers
    left join newest
        on customers.as_of_date = newest.as_of_date
        and customers.customer_id = newest.customer_id
        and newest.recency = 1
),

-- Found here and not where customers are joined: an outer join on a span of knowledge is a loop over
-- all pairs.
totals as (
    select newest.as_of_date, states.*
    from newest
    inner join {{ ref('int_bureau_report_totals') }} as states
        on newest.report_id = states.report_id
        and {{ known_at('states', 'newest.cutoff_utc') }}
    where newest.recency = 1
),

-- One row a customer: the report's lines, or the furnished ones where there is no report.
lines as (
    select
        subjects.as_of_date,
        subjects.customer_id,
        subjects.report_id,
        subjects.bureau_score,
        subjects.bureau_report_date,
        case
            when subjects.report_id is not null then 'report'
            when furnished.report_date is not null then 'furnished'
        end as bureau_source,
        coalesce(subjects.bureau_report_date, furnished.report_date) as lines_date
        {%- for column in tradeline_columns() %},
        case
            when subjects.report_id is not null then totals.{{ column }}
            else furnished.{{ column }}
        end as {{ column }}
        {%- endfor %}
    from subjects
    left join totals
        on subjects.as_of_date = totals.as_of_date
        and subjects.report_id = totals.report_id
        and subjects.currency = totals.currency
    left join furnished
        on subjects.as_of_date = furnished.as_of_date
        and subjects.customer_id = furnished.customer_id
        and subjects.currency = furnished.currency
)

select
    lines.as_of_date,
    lines.customer_id,
    lines.bureau_score,
    lines.bureau_report_date,
    cast(lines.bureau_source as string) as bureau_source,
    lines.open_tradelines,
    lines.total_sanctioned,
    lines.total_balance,
    lines.bureau_overdue,
    {{ ratio('lines.revolving_balance', 'lines.revolving_limit') }} as utilisation,
    lines.other_emi_monthly,
    {%- for months in [3, 6, 12, 24] %}
    lines.worst_status_{{ months }}m,
    {%- endfor %}
    lines.min_credit_balance,
    lines.max_credit_balance,
    lines.median_credit_balance,
    {%- for product in credit_products() + ['other'] %}
    lines.open_{{ product }}_lines,
    {%- endfor %}
    cast({{ full_months_between('lines.oldest_line_opened_date', 'lines.as_of_date') }} as int)
        as credit_vintage_months,
    cast({{ full_months_between('lines.newest_line_opened_date', 'lines.as_of_date') }} as int)
        as months_since_newest_line,
    {{ ratio('lines.months_rolled_forward_12m', 'lines.months_late_12m') }}
        as roll_forward_rate_12m,
    {{ ratio('lines.months_cured_12m', 'lines.months_late_12m') }} as cure_rate_12m,
    cast(
        lines.first_late_months_ago
        + {{ full_months_between('lines.lines_date', 'lines.as_of_date') }} as int
    ) as months_since_first_delinquency,
    lines.first_delinquency_month_on_book,
    -- A customer with a report and without enquiries in it has none; without a report it is unknown.
    {%- for enquiry_column in enquiry_columns() %}
    cast(
        case
            when lines.report_id is not null then coalesce(enquiry_counts.{{ enquiry_column }}, 0)
        end as int
    ) as {{ enquiry_column }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from lines
left join enquiry_counts
    on lines.as_of_date = enquiry_counts.as_of_date
    and lines.customer_id = enquiry_counts.customer_id
where lines.bureau_source is not null
