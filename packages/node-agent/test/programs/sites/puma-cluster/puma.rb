bind 'tcp://0.0.0.0:3000'
workers 2
threads 1, 4
preload_app!
