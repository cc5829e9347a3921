"""What a job leaves and where it lies: records, measurements, the results folder."""
