"""The dashboard of periodic jobs and of those who fire them."""

from monitoring.dashboard import Dashboard, Panel, Row

PAGE = Dashboard(
    "schedule",
    "Growbin · schedule",
    (
        Row("Now", (
            Panel(
                "Overdue", "Since when the oldest due time waits that no scheduler has taken.", "s",
                (("max(growbin_schedule_overdue_seconds)", "overdue"),), "stat", 6, 5,
                ((None, "green"), (60.0, "orange"), (300.0, "red")),
            ),
            Panel(
                "Schedulers", "Schedulers that live; any number may.", "short",
                (("max(growbin_scheduler_processes)", "alive"),), "stat", 6, 5, ((None, "red"), (1.0, "green")),
            ),
            Panel(
                "Jobs in trouble", "Jobs whose last due time failed, or is late.", "short",
                (('count(max by (job) (growbin_schedule_job_trouble{trouble!="none"}) == 1) or vector(0)', "jobs"),),
                "stat", 6, 5, ((None, "green"), (1.0, "red")),
            ),
            Panel(
                "Exporters", "Schedulers that show what concerns all nodes: one.", "short",
                (("sum(growbin_exporter_leader)", "exporters"),), "stat", 6, 5,
                ((None, "red"), (1.0, "green"), (2.0, "red")),
            ),
        )),
        Row("Jobs", (
            Panel(
                "Since the last run", "How long ago each job was last due and done.", "s",
                (("time() - max by (job) (growbin_schedule_job_last_run_timestamp_seconds)", "{{job}}"),), "table",
            ),
            Panel(
                "Until the next run", "When each job is due next; a paused one is not listed.", "s",
                (("max by (job) (growbin_schedule_job_next_due_timestamp_seconds) - time()", "{{job}}"),), "table",
            ),
            Panel(
                "Trouble", "1 while the last due time of a job is late or has failed.", "short",
                (('max by (job, trouble) (growbin_schedule_job_trouble{trouble!="none"}) > 0', "{{job}} {{trouble}}"),),
            ),
            Panel(
                "Overdue", "It grows also when no scheduler lives.", "s",
                (("max(growbin_schedule_overdue_seconds)", "overdue"),), steps=((None, "green"), (300.0, "red")),
            ),
        )),
        Row("Who looks after it", (
            Panel(
                "Own jobs that fail", "Periodic jobs of keepers and schedulers that failed.", "short",
                (('sum by (owner, job) (increase(growbin_periodic_job_failures_total{worker=~"$worker"}'
                  "[$__rate_interval]))", "{{owner}} {{job}}"),),
            ),
            Panel(
                "Own jobs that wait", "Periodic jobs of keepers and schedulers that needed something which was away.",
                "short",
                (('sum by (owner, job) (increase(growbin_periodic_job_waits_total{worker=~"$worker"}'
                  "[$__rate_interval]))", "{{owner}} {{job}}"),),
            ),
            Panel(
                "Sources", "1 where what concerns all nodes could be read; what is missing is not 0.", "short",
                (("min by (source) (growbin_cluster_source_up)", "{{source}}"),),
            ),
        )),
    ),
)  # fmt: skip
