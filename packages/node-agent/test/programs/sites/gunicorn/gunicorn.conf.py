import app

bind = "0.0.0.0:3000"
workers = 2
preload_app = True


def post_fork(server, worker):
    app.begin()
