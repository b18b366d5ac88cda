select
    reports.as_of_date,
    reports.report_id,
    reports.customer_id,
    reports.account_id,
    reports.reported_date,
    reports.kind,
    reports.status
from {{ versions_as_of(ref('stg_fraud_reports'), ['report_id']) }} as reports
where
    reports.reported_date <= reports.as_of_date
    and reports.status in ('open', 'confirmed')
